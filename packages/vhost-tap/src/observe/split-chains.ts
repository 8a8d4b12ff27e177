import type { Arena } from '@vhostlab/memory';
import { ObservedChain } from './chain.ts';
import type { Findings } from './findings.ts';
import { FrameCopier } from './frame-copier.ts';
import { NetCheck } from './net-check.ts';
import type { FrameSink, ObservedMemory, ObserverLimits, RingToObserve } from './ring-to-observe.ts';
import { Settling } from './settling.ts';
import { SplitChainReader } from './split-chain.ts';
import type { SplitEntries, SplitInterval } from './split-entries.ts';
import type { OrderEvidence } from './trust.ts';

/** Chains that are compared with what they were at the last look. */
const MAX_COMPARED = 16;

/** How often a chain at fault has to read the same. */
const READINGS = 3;

/**
 * Looks at the chains of outstanding buffers. A chain without fault costs one reading; a fault is said when the buffer
 * is certainly outstanding and the chain reads the same again and again.
 */
export class SplitChains {
  readonly #ring: RingToObserve;
  readonly #limits: ObserverLimits;
  readonly #sink: FrameSink | null;
  readonly #findings: Findings;
  readonly #entries: SplitEntries;
  readonly #order: OrderEvidence;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #usedIndexWord: number;
  readonly #usedRingWord: number;
  readonly #availRingWord: number;
  readonly #chain: ObservedChain;
  readonly #reader: SplitChainReader;
  readonly #net: NetCheck;
  readonly #frames: FrameCopier;
  /** By place: index and print of the chain that was looked at last, and in which look. */
  readonly #lookedIndex: Int32Array;
  readonly #lookedIn: Uint32Array;
  readonly #lookedPrint: Int32Array;
  readonly #settling = new Settling();
  /** Index of the next chain to look at. */
  #next = 0;
  /** Number of this look. */
  #looks = 1;

  constructor(
    arena: Arena,
    memory: ObservedMemory,
    ring: RingToObserve,
    findings: Findings,
    entries: SplitEntries,
    order: OrderEvidence,
    limits: ObserverLimits,
    sink: FrameSink | null,
  ) {
    this.#ring = ring;
    this.#limits = limits;
    this.#sink = sink;
    this.#findings = findings;
    this.#entries = entries;
    this.#order = order;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#usedIndexWord = (ring.deviceOffset + 2) >>> 1;
    this.#usedRingWord = (ring.deviceOffset + 4) >>> 2;
    this.#availRingWord = (ring.driverOffset + 4) >>> 1;
    this.#chain = new ObservedChain(ring.size);
    this.#lookedIndex = new Int32Array(ring.size).fill(-1);
    this.#lookedIn = new Uint32Array(ring.size);
    this.#lookedPrint = new Int32Array(ring.size);
    this.#reader = new SplitChainReader(arena, memory, ring);
    this.#net = new NetCheck(arena, memory, ring);
    this.#frames = new FrameCopier(arena, memory, this.#net.headerBytes);
  }

  /** Chains before `avail` are not looked at any more. */
  skipTo(avail: number): void {
    this.#next = avail;
    this.#looks += 2;
    this.#frames.restart();
  }

  /** Looks at as many chains as a sample may: from where the last one ended, or under load the oldest and the newest. */
  look(interval: SplitInterval): void {
    this.#looks++;
    this.#compare(interval);
    this.#settle(interval);
    const { used, avail } = interval;
    const { maxChains } = this.#limits;
    const known = Math.min((avail - used) & 0xffff, (avail - this.#entries.headsFrom) & 0xffff);
    const pending = Math.min(known, (avail - this.#next) & 0xffff);
    let seen = 0;
    if (pending <= maxChains) {
      seen = this.#lookFrom(avail - pending, pending, interval);
      this.#next = avail;
    } else if (interval.isSlow) {
      seen = this.#lookFrom(avail - pending, maxChains, interval);
      this.#next = (avail - pending + maxChains) & 0xffff;
    } else {
      const half = maxChains >>> 1;
      seen = this.#lookFrom(avail - known, half, interval) + this.#lookFrom(avail - half, half, interval);
      this.#next = avail;
    }
    const { sample, totals } = this.#findings;
    totals.chains += seen;
    sample.availMissed = Math.max(0, sample.availSteps - seen);
  }

  /** Looks at `count` chains from index `from` on; answers how many of them were at rest. */
  #lookFrom(from: number, count: number, interval: SplitInterval): number {
    const { heads } = this.#entries;
    const size = this.#ring.size;
    let seen = 0;
    for (let i = 0; i < count; i++) {
      const index = (from + i) & 0xffff;
      const head = heads[index & (size - 1)];
      if (head >= size) continue;
      this.#read(head);
      if (this.#chain.fault !== null) this.#confirm(index, head, interval);
      else if (this.#isAtRest(index, head, interval)) {
        this.#entries.writable[head] = this.#chain.writableBytes;
        this.#lookedIndex[index & (size - 1)] = index;
        this.#lookedIn[index & (size - 1)] = this.#looks;
        this.#lookedPrint[index & (size - 1)] = this.#chain.print;
        if (this.#ring.direction === 'tx') this.#copyFrame(index, head, interval);
      } else {
        i = Math.max(i, this.#usedSince(from, count) - 1);
        continue;
      }
      seen++;
    }
    return seen;
  }

  /** Chains that were looked at, and are outstanding since: they have to read as they did. */
  #compare(interval: SplitInterval): void {
    const { used, avail } = interval;
    const mask = this.#ring.size - 1;
    const known = Math.min((avail - used) & 0xffff, (avail - this.#entries.headsFrom) & 0xffff);
    for (let left = Math.min(known, MAX_COMPARED), index = avail - known; left > 0; left--, index++) {
      const at = index & mask;
      const head = this.#entries.heads[at];
      if (head > mask) continue;
      this.#read(head);
      const { print } = this.#chain;
      const before = this.#lookedPrint[at];
      // after an interval that is too long, or several, it may be another buffer's index
      const isRecent = interval.isWrapless && this.#lookedIn[at] === this.#looks - 1;
      const isKnown = isRecent && this.#lookedIndex[at] === (index & 0xffff);
      this.#lookedIndex[at] = this.#isAtRest(index, head, interval) ? index & 0xffff : -1;
      this.#lookedIn[at] = this.#looks;
      this.#lookedPrint[at] = print;
      if (!isKnown || print === before) continue;
      if (this.#isOfferedAgain(index, head, avail)) continue;
      if (!this.#isAtRest(index, head, interval) || !this.#isUnused(index, head, interval)) continue;
      const text = `the chain at avail entry ${index & 0xffff}, head ${head}, was written again while outstanding`;
      this.#findings.say('chain-changed', text);
    }
  }

  /** True when a device without order has used the buffer already, and its head stands further ahead once more. */
  #isOfferedAgain(index: number, head: number, avail: number): boolean {
    const { heads } = this.#entries;
    for (let left = ((avail - index) & 0xffff) - 1, at = index + 1; left > 0; left--, at++) {
      if (heads[at & (this.#ring.size - 1)] === head) return true;
    }
    return false;
  }

  /** How many of the `count` buffers from index `from` on are used by now, when they are used in order. */
  #usedSince(from: number, count: number): number {
    const used = (Atomics.load(this.#u16, this.#usedIndexWord) - from) & 0xffff;
    return this.#order.inOrder && used <= count ? used : 0;
  }

  #read(head: number): void {
    this.#reader.read(this.#chain, head);
    this.#net.check(this.#chain);
  }

  /** True when nobody may have changed the chain at `index` up to now. */
  #isAtRest(index: number, head: number, { used, avail }: SplitInterval): boolean {
    const now = Atomics.load(this.#u16, this.#usedIndexWord);
    if (this.#order.inOrder) {
      const ahead = (avail - now) & 0xffff;
      return ahead <= this.#ring.size && ((avail - index) & 0xffff) <= ahead;
    }
    return now === used && this.#entries.isCertain(head);
  }

  #confirm(index: number, head: number, interval: SplitInterval): void {
    const chain = this.#chain;
    const { fault, print, text } = chain;
    for (let i = 0; i < READINGS; i++) {
      this.#read(head);
      if (chain.fault !== fault || chain.print !== print) {
        this.#findings.totals.unproven++;
        return;
      }
    }
    if (fault === null || !this.#isAtRest(index, head, interval) || !this.#isUnused(index, head, interval)) {
      this.#findings.totals.unproven++;
      if (fault !== null) this.#settling.add({ place: index, code: fault, print, sinceNs: interval.nowNs });
      return;
    }
    this.#findings.say(fault, `chain at avail entry ${index}, head ${head}: ${text}`);
  }

  /**
   * True unless a device that has kept an order, without having to, may have used the buffer before its turn. It was
   * offered with at most a queue outstanding, so its id would stand among the used entries since then; one that stands
   * there because the same head was offered before is at that offer's place.
   */
  #isUnused(index: number, head: number, { avail }: SplitInterval): boolean {
    return this.#order.isRule || !this.#order.inOrder || this.#isNotReported(index, head, avail);
  }

  /** The same, of any device that keeps no order by rule. */
  #isNotReported(index: number, head: number, avail: number): boolean {
    const { size } = this.#ring;
    const now = Atomics.load(this.#u16, this.#usedIndexWord);
    const first = index + 1 - size;
    for (let left = (now - first) & 0xffff, at = first; left > 0; left--, at++) {
      const slot = at & (size - 1);
      if (this.#u32[this.#usedRingWord + 2 * slot] !== head) continue;
      const isThere = ((avail - at) & 0xffff) <= size && this.#u16[this.#availRingWord + slot] === head;
      if (!isThere) return false;
    }
    return true;
  }

  /**
   * Faults of buffers that were not certainly outstanding: said when the device has rested all the time since, and the
   * used ring does not show that the buffer was used before its turn.
   */
  #settle(interval: SplitInterval): void {
    const { used, avail, lastUsed } = interval;
    for (const suspicion of [...this.#settling.places]) {
      const { place, code, print } = suspicion;
      const ahead = (avail - place) & 0xffff;
      const isKnown =
        ahead <= ((avail - used) & 0xffff) && ahead <= ((avail - this.#entries.headsFrom) & 0xffff);
      const head = this.#entries.heads[place & (this.#ring.size - 1)];
      if (used === lastUsed && isKnown && head < this.#ring.size) {
        this.#read(head);
        if (this.#chain.fault === code && this.#chain.print === print) {
          if (!this.#settling.isSettled(suspicion, interval.nowNs)) continue;
          const isIt = !this.#isOfferedAgain(place, head, avail) && this.#isNotReported(place, head, avail);
          if (isIt)
            this.#findings.say(code, `chain at avail entry ${place}, head ${head}: ${this.#chain.text}`);
        }
      }
      this.#settling.drop(suspicion);
    }
  }

  #copyFrame(index: number, head: number, interval: SplitInterval): void {
    if (this.#sink === null || !this.#frames.copyTransmitted(this.#chain)) return;
    if (this.#isAtRest(index, head, interval)) this.#frames.give(this.#sink, this.#ring.queue, 'tx');
  }

  /**
   * A receive buffer came back with `written` bytes. The driver owns it by now, so the frame is what memory holds, not
   * what is certain.
   */
  received(head: number, written: number): void {
    if (this.#sink === null) return;
    this.#read(head);
    if (this.#chain.fault !== null) this.#frames.restart();
    else if (this.#frames.takeReceived(this.#chain, written)) {
      this.#frames.give(this.#sink, this.#ring.queue, 'rx');
    }
  }
}
