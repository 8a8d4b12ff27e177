import { NET_CONFIG, NetConfig } from '@vhostlab/virtio-net';

/** The configuration bytes of a device (struct virtio_net_config) as GET_CONFIG and SET_CONFIG see them. */
export class DeviceConfigSpace {
  #bytes: Uint8Array;

  constructor(mac: readonly number[], queuePairs: number, mtuBytes: number) {
    this.#bytes = new NetConfig({ mac, maxQueuePairs: queuePairs, mtu: mtuBytes }).copyBytes();
  }

  bytes(): Uint8Array {
    return this.#bytes.slice();
  }

  /** Null, or why it is refused: a modern driver may only read (virtio 1.3, 5.1.4), a migration sets all. */
  write(offset: number, bytes: Uint8Array, migration: boolean): string | null {
    if (offset + bytes.length > this.#bytes.length) {
      return `configuration bytes ${offset} to ${offset + bytes.length} end behind ${this.#bytes.length}`;
    }
    if (!migration) return 'the configuration of a network device is read-only (virtio 1.3, 5.1.4)';
    this.#bytes.set(bytes, offset);
    return null;
  }

  /** Null, or why an MTU is refused. */
  setMtu(bytes: number): string | null {
    if (bytes < 68 || bytes > 65_535) return `an MTU of ${bytes} is outside 68 to 65535`;
    this.#bytes[NET_CONFIG.mtu] = bytes & 0xff;
    this.#bytes[NET_CONFIG.mtu + 1] = bytes >> 8;
    return null;
  }

  /** Takes over a saved configuration; null, or why not. */
  restore(bytes: Uint8Array): string | null {
    if (bytes.length !== this.#bytes.length) {
      return `a saved configuration has ${bytes.length} bytes, not ${this.#bytes.length}`;
    }
    this.#bytes = bytes.slice();
    return null;
  }
}
