import { IndexList } from '../index-list.ts';

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
  readonly #agingPs: number;
  readonly #places = new Map<bigint, number>();
  /** By place. */
  readonly #entries: MacEntry[] = [];
  readonly #free: number[] = [];
  /** Places in the order of their last packet. */
  readonly #order = new IndexList();
  readonly #capacity: number;
  /** Grows whenever an answer of `portOf` may have changed. */
  version = 0;

  constructor(options: MacTableOptions = {}) {
    this.#capacity = options.capacity ?? 8192;
    this.#agingPs = options.agingPs ?? 300e12;
    if (this.#capacity < 1) throw new Error('a MAC table of no entries: give at least 1');
  }

  get size(): number {
    return this.#places.size;
  }

  /** Notes a packet from `mac`; answers whether the table now says something else about it. */
  learn(vlan: number, mac: bigint, port: number, nowPs: number): boolean {
    const known = this.#places.get(nameOf(vlan, mac));
    if (known === undefined) {
      this.#add({ vlan, mac, port, seenPs: nowPs });
      return true;
    }
    const entry = this.#entries[known];
    const moved = entry.port !== port;
    entry.port = port;
    entry.seenPs = Math.max(entry.seenPs, nowPs);
    this.#order.remove(known);
    this.#order.append(known);
    if (moved) this.version++;
    return moved;
  }

  /** Port of an address, undefined when it is not known. */
  portOf(vlan: number, mac: bigint): number | undefined {
    const place = this.#places.get(nameOf(vlan, mac));
    return place === undefined ? undefined : this.#entries[place].port;
  }

  /** Forgets addresses that aged; answers how many. */
  expire(nowPs: number): number {
    let expired = 0;
    for (const place of this.#order) {
      if (nowPs - this.#entries[place].seenPs < this.#agingPs) break;
      this.#remove(place);
      expired++;
    }
    if (expired > 0) this.version++;
    return expired;
  }

  /** Forgets the addresses behind a port. */
  flushPort(port: number): void {
    for (const place of this.#order) if (this.#entries[place].port === port) this.#remove(place);
    this.version++;
  }

  /** All addresses, the one unused for longest first. */
  entries(): MacEntry[] {
    return Array.from(this.#order, (place) => this.#entries[place]);
  }

  #add(entry: MacEntry): void {
    if (this.#places.size >= this.#capacity) this.#remove(this.#order.first);
    const place = this.#free.pop() ?? this.#entries.length;
    this.#entries[place] = entry;
    this.#places.set(nameOf(entry.vlan, entry.mac), place);
    this.#order.append(place);
    this.version++;
  }

  #remove(place: number): void {
    const { vlan, mac } = this.#entries[place];
    this.#places.delete(nameOf(vlan, mac));
    this.#order.remove(place);
    this.#free.push(place);
  }
}

function nameOf(vlan: number, mac: bigint): bigint {
  return (BigInt(vlan) << 48n) | mac;
}
