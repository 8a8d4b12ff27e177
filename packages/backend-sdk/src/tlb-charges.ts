import type { CoreContext } from '@vhostlab/engine';
import { TLB_L2, TLB_WALK, Tlb } from '@vhostlab/memory';

/** Page sizes of a host mapping that the cost profile knows, in bytes. */
const WALKS = new Map([
  [4096, '4k'],
  [2 * 1024 * 1024, '2m'],
  [1024 * 1024 * 1024, '1g'],
]);

/** A core's data TLB for guest memory: counts where buffers are touched and charges it once per burst. */
export class TlbCharges {
  readonly #context: CoreContext;
  readonly #tlb: Tlb;
  readonly #opL2: number;
  readonly #opWalk: number;

  /** `prefix` names the operations: `vhost` or `guest`. Throws for a page size without costs. */
  constructor(context: CoreContext, prefix: 'vhost' | 'guest', pageBytes: number) {
    const walk = WALKS.get(pageBytes);
    if (walk === undefined) throw new Error(`no costs for pages of ${pageBytes} bytes`);
    const huge = walk === '1g';
    this.#context = context;
    this.#tlb = new Tlb({
      pageBytes,
      l1Entries: context.constant(
        walk === '4k' ? 'tlb.l1Entries4K' : huge ? 'tlb.l1Entries1G' : 'tlb.l1Entries2M',
      ),
      l1Ways: 4,
      l2Entries: context.constant(huge ? 'tlb.l2Entries1G' : 'tlb.l2Entries'),
      l2Ways: huge ? 4 : 12,
    });
    this.#opL2 = context.op(`${prefix}.tlb_l2`);
    this.#opWalk = context.op(`${prefix}.tlb_walk_${walk}`);
  }

  /** Bytes `[address, address + length)` of guest memory are accessed. */
  touch(address: number, length: number): void {
    this.#tlb.touchRange(address, length);
  }

  /** Charges the misses since the last time. */
  charge(): void {
    const { counts } = this.#tlb;
    const l2 = counts[TLB_L2];
    const walks = counts[TLB_WALK];
    if (l2 > 0) this.#context.meter.charge(this.#opL2, l2, 0);
    if (walks > 0) this.#context.meter.charge(this.#opWalk, walks, 0);
    counts.fill(0);
  }
}
