import type { CoreContext } from '@vhostlab/engine';
import { TLB_L2, TLB_WALK, Tlb } from '@vhostlab/memory';
import { PAGE_SIZES, type PageSize } from '@vhostlab/workload';

/** The vCPU's data TLB and what its misses cost. Touch, then charge once per burst. */
export class TlbMeter {
  readonly tlb: Tlb;
  readonly #context: CoreContext;
  readonly #opL2: number;
  readonly #opWalk: number;

  constructor(context: CoreContext, pages: PageSize) {
    const isHuge = pages === '1G';
    this.#context = context;
    this.#opL2 = context.op('guest.tlb_l2');
    this.#opWalk = context.op(`guest.tlb_walk_${pages.toLowerCase()}`);
    this.tlb = new Tlb({
      pageBytes: PAGE_SIZES[pages],
      l1Entries: context.constant(`tlb.l1Entries${pages}`),
      l1Ways: 4,
      l2Entries: context.constant(isHuge ? 'tlb.l2Entries1G' : 'tlb.l2Entries'),
      l2Ways: isHuge ? 4 : 12,
    });
  }

  /** Charges what was touched since the last call. */
  charge(): void {
    const { counts } = this.tlb;
    const { meter } = this.#context;
    if (counts[TLB_L2] > 0) meter.charge(this.#opL2, counts[TLB_L2], 0);
    if (counts[TLB_WALK] > 0) meter.charge(this.#opWalk, counts[TLB_WALK], 0);
    counts.fill(0);
  }
}
