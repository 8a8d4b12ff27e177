import type { Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_NEXT } from '@vhostlab/virtqueue';
import { ObservedChain } from './chain.ts';
import type { Findings } from './findings.ts';
import { NetCheck } from './net-check.ts';
import { PackedChainReader } from './packed-chain.ts';
import type { PackedEntries } from './packed-entries.ts';
import { PackedFrames } from './packed-frames.ts';
import { PackedOrder } from './packed-order.ts';
import { PackedProof } from './packed-proof.ts';
import type { PackedScan } from './packed-scan.ts';
import type { FrameSink, ObservedMemory, ObserverLimits, RingToObserve } from './ring-to-observe.ts';
import type { RingRuleCode } from './rules.ts';
import { Settling } from './settling.ts';
import type { OrderEvidence } from './trust.ts';

/** How often a list at fault has to read the same. */
const READINGS = 3;
/** Faults of what a device never writes: flags of an available descriptor. All others rest on lengths or ids. */
const AT_ONCE: ReadonlySet<RingRuleCode> = new Set([
  'chain-loop',
  'indirect-feature',
  'indirect-next',
  'read-after-write',
]);
/** Faults after which it is not known where the next list begins, or whose it is. */
const UNFOLLOWABLE: ReadonlySet<RingRuleCode | null> = new Set([
  'chain-torn',
  'chain-loop',
  'id-range',
] as const);

/** No buffer of the run was used since the scan. */
const NOTHING = -1;

/** Looks at the lists of outstanding buffers of a packed ring, and hands offers to the entries while these are exact. */
export class PackedChains {
  /** Descriptors that went from available to used before the eyes of the last sample. */
  usedSeen = 0;
  readonly frames: PackedFrames;
  readonly #inOrder: boolean;
  readonly #maxChains: number;
  readonly #findings: Findings;
  readonly #scan: PackedScan;
  readonly #entries: PackedEntries;
  readonly #order: OrderEvidence;
  readonly #chain: ObservedChain;
  readonly #reader: PackedChainReader;
  readonly #net: NetCheck;
  readonly #settling = new Settling();
  readonly #proof: PackedProof;
  readonly #progress: PackedOrder;
  /** By descriptor: what the list that begins there read like when it was looked at, as a number. */
  readonly #lookedAt: Int32Array;
  /** Where a buffer certainly begins in the run; since the scan: first place that is not used yet. */
  #certain = 0;
  #front = NOTHING;
  #nowNs = 0;
  /** While the entries are not exact: place up to which lists have been looked at. */
  #next = 0;

  constructor(
    arena: Arena,
    memory: ObservedMemory,
    ring: RingToObserve,
    findings: Findings,
    scan: PackedScan,
    entries: PackedEntries,
    order: OrderEvidence,
    limits: ObserverLimits,
    sink: FrameSink | null,
  ) {
    this.#inOrder = ring.features.has('IN_ORDER');
    this.#maxChains = limits.maxChains;
    this.#findings = findings;
    this.#scan = scan;
    this.#entries = entries;
    this.#order = order;
    this.#chain = new ObservedChain(ring.size);
    this.#lookedAt = new Int32Array(ring.size);
    this.#reader = new PackedChainReader(arena, memory, ring);
    this.#net = new NetCheck(arena, memory, ring);
    this.#proof = new PackedProof(arena, ring, scan);
    this.#progress = new PackedOrder(scan, order);
    this.frames = new PackedFrames(arena, memory, ring, this.#net.headerBytes, sink);
  }

  /**
   * While the entries are exact: takes what was used, then every new list, which begin one behind the other. Answers how
   * far it came: not beyond a list that is not sound, until that has settled.
   */
  follow(from: number, to: number, nowNs: number): number {
    const scan = this.#scan;
    const entries = this.#entries;
    this.#nowNs = nowNs;
    this.#progress.forget();
    this.usedSeen = entries.takeUsed(scan, scan.distance(from, to));
    // used descriptors that the driver has written again meanwhile
    if (scan.distance(entries.used, to) > scan.size) entries.lose();
    const visible = this.#visibleEnd(from, to);
    let seen = 0;
    let place = from;
    while (entries.isExact && place !== visible) {
      this.#read(place);
      const { slots, id, fault } = this.#chain;
      if (fault !== null) this.#suspect(place, -1);
      if (UNFOLLOWABLE.has(fault) && this.#settling.has(place)) break;
      if (UNFOLLOWABLE.has(fault) || slots === 0 || slots > scan.distance(place, visible)) {
        entries.lose();
        break;
      }
      if (!entries.offer(scan, place, slots, id) && this.#isAtRest(place, -1)) {
        this.#findings.say(
          'id-busy',
          `the list at ${scan.slot(place)} has buffer id ${id}, which is outstanding`,
        );
      }
      if (fault === null && this.#isAtRest(place, -1)) this.#accept(place, id);
      seen += slots;
      place = scan.move(place, slots);
    }
    if (place !== to && !this.#settling.has(place)) entries.lose();
    this.#next = to;
    this.#settle(-1);
    this.#count(seen);
    return place;
  }

  /** End of the lists from `from` on that still show as available. */
  #visibleEnd(from: number, to: number): number {
    const scan = this.#scan;
    let place = from;
    while (place !== to && scan.isAvailable(place)) place = scan.move(place, 1);
    return place;
  }

  /** While they are not: looks at the newest lists that certainly begin where they seem to. */
  look(nowNs: number): void {
    const scan = this.#scan;
    const start = scan.runStart();
    this.usedSeen = 0;
    let place = scan.certainStart(start, this.#inOrder);
    let skip = this.#countLists(place) - this.#maxChains;
    this.#nowNs = nowNs;
    const looked = this.#isInside(start, this.#next) ? scan.distance(start, this.#next) : 0;
    let seen = 0;
    let ahead = 0;
    this.#front = NOTHING;
    this.#certain = place;
    this.#progress.look(start);
    while (place !== scan.avail) {
      const end = this.#listEnd(place);
      const isOld = scan.distance(start, place) < looked && this.#isLookedAt(place);
      if (skip-- <= 0 && !isOld) {
        const slots = this.#lookAt(place, start);
        seen += slots;
        // a device that overtakes this look: further ahead, buffers rest longer
        ahead = slots > 0 ? 0 : 2 * ahead + 1;
        skip = Math.max(skip, ahead);
      }
      place = end;
    }
    this.#next = scan.avail;
    this.#settle(start);
    this.#noteOrder(start);
    this.#count(seen);
  }

  /** True for places from `start` up to and with the driver's. */
  #isInside(start: number, place: number): boolean {
    return this.#scan.distance(start, place) <= this.#scan.distance(start, this.#scan.avail);
  }

  #countLists(from: number): number {
    let lists = 0;
    for (let place = from; place !== this.#scan.avail; place = this.#listEnd(place)) lists++;
    return lists;
  }

  /** Place behind the list at `place`, as scanned. */
  #listEnd(place: number): number {
    const scan = this.#scan;
    let at = place;
    while (at !== scan.avail) {
      const isLast = (scan.flags(at) & VIRTQ_DESC_F_NEXT) === 0;
      at = scan.move(at, 1);
      if (isLast) break;
    }
    return at;
  }

  /** Answers the descriptors of the list when it was at rest. */
  #lookAt(place: number, runStart: number): number {
    this.#read(place);
    if (this.#chain.fault !== null) {
      this.#suspect(place, runStart);
      return 0;
    }
    const { slots } = this.#chain;
    if (slots === 0 || !this.#isAtRest(place, runStart)) return 0;
    this.#lookedAt[this.#scan.slot(place)] = this.#chain.print;
    this.#copyFrame(place, runStart);
    return slots;
  }

  /** True when the list reads as it did when it was looked at: so long after, it may be another lap's. */
  #isLookedAt(place: number): boolean {
    this.#read(place);
    return this.#chain.fault === null && this.#chain.print === this.#lookedAt[this.#scan.slot(place)];
  }

  #read(place: number): void {
    this.#reader.read(this.#chain, this.#scan.slot(place), this.#scan.wrap(place));
    if (this.#chain.slots > 0) this.#net.check(this.#chain);
  }

  /**
   * True when the list at `place` was certainly outstanding up to now. Exact: nothing at all was used since the scan. Else
   * with buffers used in order: those that are used since the scan end before it.
   */
  #isAtRest(place: number, runStart: number): boolean {
    const scan = this.#scan;
    if (runStart < 0) {
      const { isExact, used } = this.#entries;
      return isExact && used !== scan.avail && !scan.isUsedNow(used);
    }
    if (!this.#order.inOrder) return false;
    this.#advanceFront(runStart, place);
    return this.#front === NOTHING || scan.distance(runStart, this.#front) <= scan.distance(runStart, place);
  }

  /**
   * Moves the front over buffers that are used by now, in order, beyond `place` if need be. The next one begins where
   * the run does, unless the run begins with the rest of what the last used descriptor stands for.
   */
  #advanceFront(runStart: number, place: number): void {
    const scan = this.#scan;
    if (this.#front === NOTHING) {
      if (scan.isUsedNow(runStart)) this.#front = runStart;
      else if (scan.isUsedNow(this.#certain)) this.#front = this.#certain;
      else return;
    }
    while (scan.distance(this.#front, place) <= scan.size) {
      const id = scan.usedIdNow(this.#front);
      if (id < 0) return;
      // the last list with this id: a device may have prepared it at the first of a batch before the scan
      let end = this.#inOrder ? -1 : this.#listEnd(this.#front);
      for (let at = this.#front; this.#inOrder && at !== scan.avail; ) {
        at = this.#listEnd(at);
        if ((scan.words[scan.slot(scan.move(at, -1))] & 0xffff) === id) end = at;
      }
      if (end < 0) end = scan.avail;
      this.#front = end;
      if (end === scan.avail) return;
    }
  }

  /** The list at `place` reads at fault: says so, or waits until it settles. */
  #suspect(place: number, runStart: number): void {
    const chain = this.#chain;
    const { fault, print, isDoubtful } = chain;
    if (fault === null) return;
    if (!this.#readsTheSame(place, fault, print) || (isDoubtful && !this.#order.inOrder)) {
      this.#findings.totals.unproven++;
    } else if (AT_ONCE.has(fault)) {
      if (this.#isAtRest(place, runStart)) this.#findings.say(fault, chain.text);
      else this.#findings.totals.unproven++;
    } else if (this.#isProven(place, runStart, fault, print)) this.#findings.say(fault, chain.text);
    else this.#settling.add({ place, code: fault, print, sinceNs: this.#nowNs });
  }

  /** True when a list of one descriptor was at fault while it was outstanding, by the driver's own length. */
  #isProven(place: number, runStart: number, fault: RingRuleCode, print: number): boolean {
    if (fault === 'id-range') return false;
    const sinceNs = this.#proof.now();
    this.#read(place);
    const chain = this.#chain;
    if (chain.fault !== fault || chain.print !== print || chain.slots !== 1) return false;
    return this.#isAtRest(place, runStart) && this.#proof.isDriversLength(place, chain.ringLength, sinceNs);
  }

  #readsTheSame(place: number, fault: RingRuleCode, print: number): boolean {
    for (let i = 0; i < READINGS; i++) {
      this.#read(place);
      if (this.#chain.fault !== fault || this.#chain.print !== print) return false;
    }
    return true;
  }

  /** Looks at the suspicions again. */
  #settle(runStart: number): void {
    for (const suspicion of [...this.#settling.places]) {
      const { place, code, print } = suspicion;
      if (!this.#readsTheSame(place, code, print)) {
        this.#settling.drop(suspicion);
        this.#findings.totals.unproven++;
      } else if (this.#settling.isSettled(suspicion, this.#nowNs)) {
        this.#settling.drop(suspicion);
        if (this.#isAtRest(place, runStart)) this.#findings.say(code, this.#chain.text);
        else this.#findings.totals.unproven++;
        if (UNFOLLOWABLE.has(code)) this.#entries.lose();
      }
    }
  }

  #accept(place: number, id: number): void {
    this.#entries.writable[id] = this.#chain.writableBytes;
    this.frames.keep(id, this.#chain);
    this.#copyFrame(place, -1);
  }

  #copyFrame(place: number, runStart: number): void {
    if (this.frames.copy(this.#chain) && this.#isAtRest(place, runStart)) this.frames.give();
  }

  /** Buffers that were used while the sample looked: whether they were the oldest. */
  #noteOrder(start: number): void {
    if (this.#inOrder) return;
    const scan = this.#scan;
    let place = scan.certainStart(start, false);
    for (let i = 0; i < this.#maxChains && place !== scan.avail; i++) {
      const used = scan.usedIdNow(place);
      if (used < 0) break;
      const end = this.#listEnd(place);
      const id = scan.words[scan.slot(scan.move(end, -1))] & 0xffff;
      this.#order.note(used === id, scan.distance(place, scan.avail));
      place = end;
    }
  }

  #count(seen: number): void {
    const { sample, totals } = this.#findings;
    totals.chains += seen;
    sample.availMissed = Math.max(0, sample.availSteps - seen);
  }
}
