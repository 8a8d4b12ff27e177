import { bytes, defineLayout, u8, u16, u32 } from '@vhostlab/layout';
import { HASH_TYPES_ALL } from '@vhostlab/packet';

/** struct virtio_net_config (virtio 1.3, 5.1.4). */
export const NET_CONFIG = defineLayout('virtio_net_config', 28, {
  mac: bytes(0, 6),
  status: u16(6),
  max_virtqueue_pairs: u16(8),
  mtu: u16(10),
  speed: u32(12),
  duplex: u8(16),
  rss_max_key_size: u8(17),
  rss_max_indirection_table_length: u16(18),
  supported_hash_types: u32(20),
  supported_tunnel_types: u32(24),
});

/** Bits of `status`. */
export const NET_S_LINK_UP = 1;
export const NET_S_ANNOUNCE = 2;

const SPEED_UNKNOWN = 0xffffffff;
const DUPLEX_FULL = 1;
const DUPLEX_UNKNOWN = 0xff;

export interface NetConfigOptions {
  /** Six bytes. */
  mac: ArrayLike<number>;
  /** 1 to 0x8000; default 1. */
  maxQueuePairs?: number;
  /** 68 to 65535; default 1500. */
  mtu?: number;
  /** Default true. */
  linkUp?: boolean;
  /** In Mb/s; absent: unknown, and so is the duplex. */
  speedMbps?: number;
  /** Default 40, which is also the least allowed. */
  rssMaxKeyBytes?: number;
  /** Entries, a power of two, at least 128, which is the default. */
  rssMaxTableEntries?: number;
  /** Bits of the hash types that the device can calculate; default all but the _EX ones. */
  hashTypes?: number;
}

/** A device's own configuration bytes as a transport serves them. */
export interface ConfigSpace {
  /** Little-endian value of `width` bytes (1, 2 or 4) at `offset`; 0 outside. */
  read(offset: number, width: number): number;
  /** config_generation (8 bits): differs from the last answer when anything changed since. */
  readGeneration(): number;
}

/** The device configuration of a network device, read-only for drivers (virtio 1.3, 5.1.4). */
export class NetConfig implements ConfigSpace {
  readonly #bytes = new Uint8Array(NET_CONFIG.$size);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #ownMac: Uint8Array;
  #generation = 0;
  #changed = false;

  /** Throws a RangeError that names a value outside its range. */
  constructor(options: NetConfigOptions) {
    const pairs = inRange('maxQueuePairs', options.maxQueuePairs ?? 1, 1, 0x8000);
    const mtu = inRange('mtu', options.mtu ?? 1500, 68, 65_535);
    const keyBytes = inRange('rssMaxKeyBytes', options.rssMaxKeyBytes ?? 40, 40, 255);
    const entries = inRange('rssMaxTableEntries', options.rssMaxTableEntries ?? 128, 128, 0x8000);
    if (options.mac.length !== 6) throw new RangeError(`mac has ${options.mac.length} bytes, not 6`);
    this.#ownMac = Uint8Array.from(options.mac);
    this.#bytes.set(this.#ownMac, NET_CONFIG.mac);
    this.#view.setUint16(NET_CONFIG.status, options.linkUp === false ? 0 : NET_S_LINK_UP, true);
    this.#view.setUint16(NET_CONFIG.max_virtqueue_pairs, pairs, true);
    this.#view.setUint16(NET_CONFIG.mtu, mtu, true);
    this.#view.setUint32(NET_CONFIG.speed, options.speedMbps ?? SPEED_UNKNOWN, true);
    this.#bytes[NET_CONFIG.duplex] = options.speedMbps === undefined ? DUPLEX_UNKNOWN : DUPLEX_FULL;
    this.#bytes[NET_CONFIG.rss_max_key_size] = keyBytes;
    this.#view.setUint16(NET_CONFIG.rss_max_indirection_table_length, entries, true);
    this.#view.setUint32(NET_CONFIG.supported_hash_types, options.hashTypes ?? HASH_TYPES_ALL, true);
  }

  read(offset: number, width: number): number {
    if (offset < 0 || offset + width > this.#bytes.length) return 0;
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.#bytes[offset + i];
    return value;
  }

  readGeneration(): number {
    if (this.#changed) {
      this.#generation = (this.#generation + 1) & 0xff;
      this.#changed = false;
    }
    return this.#generation;
  }

  /** A copy of the 28 bytes, for messages that carry the whole configuration. */
  copyBytes(): Uint8Array {
    return this.#bytes.slice();
  }

  /** A copy of the six bytes of the device's address. */
  get mac(): Uint8Array {
    return this.#bytes.slice(NET_CONFIG.mac, NET_CONFIG.mac + 6);
  }

  get maxQueuePairs(): number {
    return this.read(NET_CONFIG.max_virtqueue_pairs, 2);
  }

  get mtu(): number {
    return this.read(NET_CONFIG.mtu, 2);
  }

  get rssMaxKeyBytes(): number {
    return this.#bytes[NET_CONFIG.rss_max_key_size];
  }

  get rssMaxTableEntries(): number {
    return this.read(NET_CONFIG.rss_max_indirection_table_length, 2);
  }

  get hashTypes(): number {
    return this.read(NET_CONFIG.supported_hash_types, 4);
  }

  get linkUp(): boolean {
    return (this.read(NET_CONFIG.status, 2) & NET_S_LINK_UP) !== 0;
  }

  get announcing(): boolean {
    return (this.read(NET_CONFIG.status, 2) & NET_S_ANNOUNCE) !== 0;
  }

  /** Takes six bytes at `at` of `u8` as the device's address. */
  setMac(u8: Uint8Array, at: number): void {
    for (let i = 0; i < 6; i++) this.#store8(NET_CONFIG.mac + i, u8[at + i]);
  }

  /** Takes back what drivers set: the address that the device was made with. */
  resetMac(): void {
    this.setMac(this.#ownMac, 0);
  }

  /** Sets the link state; true when it changed, and then the driver is to be notified. */
  setLinkUp(up: boolean): boolean {
    return this.#statusBit(NET_S_LINK_UP, up);
  }

  /**
   * Asks the driver for gratuitous packets, after a migration (virtio 1.3, 5.1.6.5.4): true when the bit was
   * clear, and then the driver is to be notified. The driver's ANNOUNCE_ACK clears it.
   */
  setAnnounce(on: boolean): boolean {
    return this.#statusBit(NET_S_ANNOUNCE, on);
  }

  #statusBit(bit: number, on: boolean): boolean {
    const old = this.read(NET_CONFIG.status, 2);
    const status = on ? old | bit : old & ~bit;
    this.#store8(NET_CONFIG.status, status & 0xff);
    return status !== old;
  }

  #store8(offset: number, value: number): void {
    if (this.#bytes[offset] === value) return;
    this.#bytes[offset] = value;
    this.#changed = true;
  }
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} is ${value}: an integer from ${least} to ${most} is needed`);
}
