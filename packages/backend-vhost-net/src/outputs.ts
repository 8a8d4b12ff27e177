import type { NicPort, PortOutput } from '@vhostlab/datapath';
import type { PacketPool } from '@vhostlab/memory';
import { WIRE_PORT } from './config.ts';
import type { TapPort } from './tap-port.ts';

/** Ports that the datapath of one core reaches: the NIC, if the bridge has the wire, and taps of guests. */
export class Outputs implements PortOutput {
  /** Buffers of the frames. */
  readonly pool: PacketPool;
  readonly #nic: NicPort | undefined;
  readonly #taps: ReadonlyMap<number, TapPort>;

  /** `taps` by port number. */
  constructor(pool: PacketPool, nic: NicPort | undefined, taps: ReadonlyMap<number, TapPort>) {
    this.pool = pool;
    this.#nic = nic;
    this.#taps = taps;
  }

  output(port: number, index: number): boolean {
    if (port === WIRE_PORT && this.#nic !== undefined) {
      this.#nic.send(index);
      return true;
    }
    const tap = this.#taps.get(port);
    if (tap === undefined) return false;
    tap.send(index);
    return true;
  }

  /** Ends a burst: rings the NIC's doorbell, fills the taps' queues. */
  flush(): void {
    this.#nic?.flush();
    for (const tap of this.#taps.values()) tap.flush();
  }

  /** Frees the buffers of frames that the NIC has sent. */
  reclaim(): void {
    this.#nic?.reclaim();
  }
}
