/** One region of guest memory as a device sees it. Addresses and sizes in bytes. */
export interface Region {
  /** Guest-physical or I/O virtual address of its first byte. */
  readonly address: number;
  readonly size: number;
  /** Where its first byte lies in the arena. */
  readonly arenaOffset: number;
  /** PERMISSION_RO, PERMISSION_WO or PERMISSION_RW. */
  readonly permission: number;
}

/** Regions sorted by address, in parallel arrays that grow. Never overlapping; the caller sees to that. */
export class RegionTable {
  count = 0;
  start = new Float64Array(8);
  end = new Float64Array(8);
  offset = new Float64Array(8);
  permission = new Uint8Array(8);

  /** Index of the first region that ends after `address`; `count` when there is none. */
  lowerBound(address: number): number {
    const end = this.end;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (end[middle] > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  insert(at: number, start: number, end: number, offset: number, permission: number): void {
    if (this.count === this.start.length) this.#grow();
    for (const column of [this.start, this.end, this.offset, this.permission]) {
      column.copyWithin(at + 1, at, this.count);
    }
    this.start[at] = start;
    this.end[at] = end;
    this.offset[at] = offset;
    this.permission[at] = permission;
    this.count++;
  }

  remove(at: number, howMany: number): void {
    for (const column of [this.start, this.end, this.offset, this.permission]) {
      column.copyWithin(at, at + howMany, this.count);
    }
    this.count -= howMany;
  }

  #grow(): void {
    const places = this.start.length * 2;
    const wider = (column: Float64Array) => {
      const next = new Float64Array(places);
      next.set(column);
      return next;
    };
    this.start = wider(this.start);
    this.end = wider(this.end);
    this.offset = wider(this.offset);
    const permission = new Uint8Array(places);
    permission.set(this.permission);
    this.permission = permission;
  }
}
