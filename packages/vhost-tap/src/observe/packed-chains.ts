import type { Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_NEXT } from '@vhostlab/virtqueue';
import { ObservedChain } from './chain.ts';
import type { Findings } from './findings.ts';
import { NetCheck } from './net-check.ts';
import { PackedChainReader } from './packed-chain.ts';
import type { PackedEntries } from './packed-entries.ts';
import { PackedFrames } from './packed-frames.ts';
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
    this.#reader = new PackedChainReader(arena, memory, ring);
    this.#net = new NetCheck(arena, memory, ring);
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
    this.#nowNs = nowNs;
    this.usedSeen = 0;
    let place = scan.certainStart(start, this.#inOrder);
    let skip = this.#countLists(place) - this.#maxChains;
    const skipUntil = this.#isInside(start, this.#next) ? scan.distance(start, this.#next) : 0;
    let seen = 0;
    while (place !== scan.avail) {
      const end = this.#listEnd(place);
      if (skip-- <= 0 && scan.distance(start, place) >= skipUntil) seen += this.#lookAt(place, start);
      place = end;
    }
    this.#next = scan.avail;
    this.#settle(start);
    this.#noteOrder(start);
    this.#count(Math.min(seen, this.#findings.sample.availSteps));
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
    this.#copyFrame(place, runStart);
    return slots;
  }

  #read(place: number): void {
    this.#reader.read(this.#chain, this.#scan.slot(place), this.#scan.wrap(place));
    if (this.#chain.slots > 0) this.#net.check(this.#chain);
  }

  /**
   * True when the list at `place` was certainly outstanding up to now. Exact: nothing at all was used since the scan. Else
   * with buffers used in order: no descriptor of the run up to it is used.
   */
  #isAtRest(place: number, runStart: number): boolean {
    const scan = this.#scan;
    if (runStart < 0) {
      const { isExact, used } = this.#entries;
      return isExact && used !== scan.avail && !scan.isUsedNow(used);
    }
    return this.#order.inOrder && scan.isNoneUsedNow(runStart, scan.move(place, 1));
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
    } else this.#settling.add({ place, code: fault, print, sinceNs: this.#nowNs });
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
