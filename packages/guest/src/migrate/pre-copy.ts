import { DIRTY_PAGE_BYTES, PageSet } from '@vhostlab/memory';

/** The link between the two hosts, and when pre-copy ends. */
export interface PreCopySettings {
  /** Bits per second of page data. */
  linkBps: number;
  /** From one end of the link to the other. */
  linkLatencyPs: number;
  /** What the guest may be stopped for: pre-copy ends when what is left takes no longer. */
  maxDowntimePs: number;
  /** Rounds of copying while the guest runs, at least 1; the guest is stopped after the last one whatever is left. */
  maxRounds: number;
}

/** Pages that were written since they were last asked for: the bytes of a dirty log, by who wrote. */
export interface DirtyPages {
  vcpus: Uint8Array;
  backend: Uint8Array;
}

/** What one round copied. The last one, with the guest stopped, is `stop`. */
export interface CopyRound {
  kind: 'all' | 'dirty' | 'stop';
  pages: number;
  bytes: number;
  /** Pages that vCPUs wrote, and that the back end wrote, by each look at their logs; a page may be both. First round: 0. */
  fromVcpus: number;
  fromBackend: number;
  startPs: number;
  /** The last of its pages has left. */
  endPs: number;
}

/**
 * Pre-copy as pure bookkeeping: which pages are to be copied next, when each has left the link, and whether to go on
 * copying or to stop the guest. Every page is copied once; then, in rounds, those that were written since they were
 * last asked for, until what is left fits in the downtime or the rounds are used up.
 */
export class PreCopy {
  readonly rounds: CopyRound[] = [];
  readonly #settings: PreCopySettings;
  readonly #pagePs: number;
  readonly #left: PageSet;
  #at = 0;
  #linkFreePs = 0;
  /** Time per page of the last round. */
  #seenPs = 0;
  /** Pages that were written before the guest was stopped and are left for the last round. */
  #kept = { vcpus: 0, backend: 0 };

  constructor(memoryBytes: number, settings: PreCopySettings) {
    this.#settings = settings;
    this.#pagePs = Math.ceil((DIRTY_PAGE_BYTES * 8 * 1e12) / settings.linkBps);
    this.#left = new PageSet(memoryBytes);
  }

  /** Pages that the current round has not copied yet. */
  get left(): number {
    return this.#left.count;
  }

  /** Time that `pages` pages need on the link, without its latency. */
  transferPs(pages: number): number {
    return pages * this.#pagePs;
  }

  /** The same as the last round shows it: whoever sends may be slower than the link. */
  expectedPs(pages: number): number {
    return Math.max(this.transferPs(pages), pages * this.#seenPs);
  }

  /** Moment at which everything sent so far has arrived. */
  get arrivedPs(): number {
    return this.#linkFreePs + this.#settings.linkLatencyPs;
  }

  /** Begins with all pages. */
  begin(nowPs: number): void {
    this.#left.addAll();
    this.#open('all', nowPs, 0, 0);
  }

  /** Takes at most `out.length` pages of this round, in rising order; answers how many, 0 when the round is over. */
  next(out: Float64Array, nowPs: number): number {
    let count = 0;
    while (count < out.length) {
      const page = this.#left.next(this.#at);
      if (page < 0) break;
      out[count++] = page;
      this.#at = page + 1;
    }
    const round = this.rounds[this.rounds.length - 1];
    round.pages += count;
    round.bytes += count * DIRTY_PAGE_BYTES;
    if (this.#linkFreePs < nowPs) this.#linkFreePs = nowPs;
    this.#linkFreePs += this.transferPs(count);
    if (count > 0) round.endPs = this.#linkFreePs;
    if (this.#left.next(this.#at) < 0) this.#left.clear();
    return count;
  }

  /** Moment from which the link takes more: when what was sent has left. */
  get readyPs(): number {
    return this.#linkFreePs;
  }

  /**
   * A round is over and these pages were written meanwhile. 'copy': another round has begun. 'stop': stop the guest, and
   * give what was written until then to `last`; the pages of this call are kept for it.
   */
  roundOver(dirty: DirtyPages, nowPs: number): 'copy' | 'stop' {
    const { vcpus, backend } = this.#add(dirty);
    const round = this.rounds[this.rounds.length - 1];
    if (round.pages > 0)
      this.#seenPs = (Math.max(round.endPs, this.#linkFreePs) - round.startPs) / round.pages;
    const fits = this.expectedPs(this.#left.count) <= this.#settings.maxDowntimePs;
    if (fits || this.rounds.length >= this.#settings.maxRounds) {
      this.#kept = { vcpus, backend };
      return 'stop';
    }
    this.#open('dirty', nowPs, vcpus, backend);
    return 'copy';
  }

  /** The guest has stopped, and this is what was written since the last round was over: the last round begins. */
  last(dirty: DirtyPages, nowPs: number): void {
    const { vcpus, backend } = this.#add(dirty);
    this.#open('stop', nowPs, this.#kept.vcpus + vcpus, this.#kept.backend + backend);
  }

  /** Totals over all rounds. */
  get totals(): { pages: number; bytes: number } {
    return this.rounds.reduce(
      (sum, { pages, bytes }) => ({ pages: sum.pages + pages, bytes: sum.bytes + bytes }),
      { pages: 0, bytes: 0 },
    );
  }

  #add(dirty: DirtyPages): { vcpus: number; backend: number } {
    return { vcpus: this.#addOf(dirty.vcpus), backend: this.#addOf(dirty.backend) };
  }

  #addOf(log: Uint8Array): number {
    this.#left.addLog(log);
    let pages = 0;
    for (const byte of log) for (let bits = byte; bits !== 0; bits &= bits - 1) pages++;
    return pages;
  }

  #open(kind: CopyRound['kind'], nowPs: number, fromVcpus: number, fromBackend: number): void {
    this.#at = 0;
    this.rounds.push({ kind, pages: 0, bytes: 0, fromVcpus, fromBackend, startPs: nowPs, endPs: nowPs });
  }
}
