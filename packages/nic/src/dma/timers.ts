import type { Ps } from '@vhostlab/engine';

/**
 * Moments at which a piece of hardware goes on, earliest first; equal moments in the order of adding. A binary heap of
 * numbers: nothing is allocated once it has grown.
 */
export class Timers {
  #at = new Float64Array(256);
  #order = new Float64Array(256);
  #what = new Int32Array(256);
  #count = 0;
  #added = 0;

  /** Moment of the first one, Infinity when there is none. */
  get nextPs(): Ps {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#at[0];
  }

  /** Remembers `what` (a 31-bit number of the caller's) for `atPs`. */
  add(atPs: Ps, what: number): void {
    if (this.#count === this.#at.length) this.#grow();
    const order = this.#added++;
    const at = this.#at;
    const orders = this.#order;
    const whats = this.#what;
    let i = this.#count++;
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      if (at[parent] <= atPs) break;
      at[i] = at[parent];
      orders[i] = orders[parent];
      whats[i] = whats[parent];
      i = parent;
    }
    at[i] = atPs;
    orders[i] = order;
    whats[i] = what;
  }

  /** Takes the first one if its moment is not after `nowPs`; -1 when there is none. */
  take(nowPs: Ps): number {
    if (this.#count === 0 || this.#at[0] > nowPs) return -1;
    const at = this.#at;
    const orders = this.#order;
    const whats = this.#what;
    const what = whats[0];
    const last = --this.#count;
    const lastAt = at[last];
    const lastOrder = orders[last];
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= last) break;
      const right = child + 1;
      if (
        right < last &&
        (at[right] < at[child] || (at[right] === at[child] && orders[right] < orders[child]))
      ) {
        child = right;
      }
      if (at[child] > lastAt || (at[child] === lastAt && orders[child] > lastOrder)) break;
      at[i] = at[child];
      orders[i] = orders[child];
      whats[i] = whats[child];
      i = child;
    }
    at[i] = lastAt;
    orders[i] = lastOrder;
    whats[i] = whats[last];
    return what;
  }

  #grow(): void {
    const size = this.#at.length * 2;
    const at = new Float64Array(size);
    const order = new Float64Array(size);
    const what = new Int32Array(size);
    at.set(this.#at);
    order.set(this.#order);
    what.set(this.#what);
    this.#at = at;
    this.#order = order;
    this.#what = what;
  }
}
