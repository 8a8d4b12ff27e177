import type { NicPort, PortOutput } from '@vhostlab/datapath';
import { WIRE_PORT } from './config.ts';
import type { TapPort } from './tap-port.ts';

/** Ports that the datapath of one core reaches: the NIC and taps of guests. */
export class Outputs implements PortOutput {
  readonly nic: NicPort;
  readonly #taps: ReadonlyMap<number, TapPort>;

  /** `taps` by port number. */
  constructor(nic: NicPort, taps: ReadonlyMap<number, TapPort>) {
    this.nic = nic;
    this.#taps = taps;
  }

  output(port: number, index: number): boolean {
    if (port === WIRE_PORT) {
      this.nic.send(index);
      return true;
    }
    const tap = this.#taps.get(port);
    if (tap === undefined) return false;
    tap.send(index);
    return true;
  }

  /** Ends a burst: rings the NIC's doorbell, fills the taps' queues. */
  flush(): void {
    this.nic.flush();
    for (const tap of this.#taps.values()) tap.flush();
  }
}
