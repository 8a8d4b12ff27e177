/** Where a MAC address was seen last. */
export interface MacEntry {
  readonly vlan: number;
  readonly mac: bigint;
  port: number;
  /** Last packet from it. */
  seenPs: number;
}

/** Settings of MAC learning; Open vSwitch's values are the defaults. */
export interface MacTableOptions {
  /** Addresses that fit; the one unused for longest leaves for a new one. Default 8192. */
  readonly capacity?: number;
  /** An address is forgotten after this time without a packet. Default 300 s. */
  readonly agingPs?: number;
}

/** MAC addresses and VLANs, and the ports they are behind. Times are those of the packets. */
export class MacTable {
  readonly #capacity: number;
  readonly #agingPs: number;
  /** In the order of their last packet: the first is the oldest. */
  readonly #entries = new Map<bigint, MacEntry>();
  /** Grows whenever an answer of `portOf` may have changed. */
  version = 0;

  constructor(options: MacTableOptions = {}) {
    this.#capacity = options.capacity ?? 8192;
    this.#agingPs = options.agingPs ?? 300e12;
    if (this.#capacity < 1) throw new Error('a MAC table of no entries: give at least 1');
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Notes a packet from `mac`; answers whether the table now says something else about it. */
  learn(vlan: number, mac: bigint, port: number, nowPs: number): boolean {
    const name = nameOf(vlan, mac);
    const known = this.#entries.get(name);
    if (known !== undefined) {
      const moved = known.port !== port;
      known.port = port;
      known.seenPs = Math.max(known.seenPs, nowPs);
      this.#entries.delete(name);
      this.#entries.set(name, known);
      if (moved) this.version++;
      return moved;
    }
    if (this.#entries.size >= this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(name, { vlan, mac, port, seenPs: nowPs });
    this.version++;
    return true;
  }

  /** Port of an address, undefined when it is not known. */
  portOf(vlan: number, mac: bigint): number | undefined {
    return this.#entries.get(nameOf(vlan, mac))?.port;
  }

  /** Forgets addresses that aged; answers how many. */
  expire(nowPs: number): number {
    let expired = 0;
    for (const [name, entry] of this.#entries) {
      if (nowPs - entry.seenPs < this.#agingPs) break;
      this.#entries.delete(name);
      expired++;
    }
    if (expired > 0) this.version++;
    return expired;
  }

  /** Forgets the addresses behind a port. */
  flushPort(port: number): void {
    for (const [name, entry] of this.#entries) if (entry.port === port) this.#entries.delete(name);
    this.version++;
  }

  /** All addresses, the one unused for longest first. */
  entries(): IterableIterator<MacEntry> {
    return this.#entries.values();
  }
}

function nameOf(vlan: number, mac: bigint): bigint {
  return (BigInt(vlan) << 48n) | mac;
}
