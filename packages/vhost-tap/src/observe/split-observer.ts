import type { Arena } from '@vhostlab/memory';
import { Findings } from './findings.ts';
import { InOrderHeads } from './in-order-heads.ts';
import { StepBack } from './index-history.ts';
import type { ObserverTotals, RingObserver, RingSample } from './ring-sample.ts';
import type { FrameSink, ObservedMemory, ObserverLimits, RingToObserve } from './ring-to-observe.ts';
import { SplitChains } from './split-chains.ts';
import { SplitEntries, type SplitInterval } from './split-entries.ts';
import { fewerThan, OrderEvidence } from './trust.ts';

const INDICES = 0x10000;
const ATTEMPTS = 4;

/**
 * Observer of a split ring. It reads memory that both peers change, so everything it concludes rests on what they may
 * not change: an entry of the available ring stays until its buffer is used, a used entry until the driver has offered
 * a whole queue more; each is read before the index that would have to move first. What could have been overwritten
 * meanwhile counts as missed.
 */
export class SplitObserver implements RingObserver {
  readonly #ring: RingToObserve;
  readonly #limits: ObserverLimits;
  readonly #u16: Uint16Array;
  readonly #size: number;
  readonly #availWord: number;
  readonly #usedWord: number;
  readonly #hasEvents: boolean;
  readonly #findings: Findings;
  readonly #entries: SplitEntries;
  readonly #chains: SplitChains;
  readonly #inOrderHeads: InOrderHeads | null;
  readonly #availBack = new StepBack();
  readonly #usedBack = new StepBack();
  readonly #interval: SplitInterval = {
    used: 0,
    avail: 0,
    lastUsed: 0,
    lastAvail: 0,
    nowNs: 0,
    isSlow: false,
    isWrapless: false,
  };

  #isStarted = false;
  #isGap = false;
  #lastNs = 0;
  #lastAvail = 0;
  #lastUsed = 0;

  constructor(
    arena: Arena,
    memory: ObservedMemory,
    ring: RingToObserve,
    limits: ObserverLimits,
    sink: FrameSink | null,
  ) {
    this.#ring = ring;
    this.#limits = limits;
    this.#u16 = arena.u16;
    this.#size = ring.size;
    this.#availWord = ring.driverOffset >>> 1;
    this.#usedWord = ring.deviceOffset >>> 1;
    this.#hasEvents = ring.features.has('EVENT_IDX');
    this.#findings = new Findings(ring.queue, false);
    const order = new OrderEvidence(ring.features.has('IN_ORDER'));
    this.#entries = new SplitEntries(arena, ring, this.#findings, order, limits.maxEntries);
    this.#chains = new SplitChains(arena, memory, ring, this.#findings, this.#entries, order, limits, sink);
    this.#inOrderHeads = ring.features.has('IN_ORDER')
      ? new InOrderHeads(arena, ring, this.#findings, limits.maxEntries)
      : null;
    if (sink !== null && ring.direction === 'rx') {
      this.#entries.onUsed = (head, written) => this.#chains.received(head, written);
    }
  }

  get sampleNow(): RingSample {
    return this.#findings.sample;
  }

  get totals(): ObserverTotals {
    return this.#findings.totals;
  }

  sample(nowNs: number): RingSample {
    const findings = this.#findings;
    findings.begin();
    let used = 0;
    let avail = 0;
    let isAtRest = false;
    for (let i = 0; i < ATTEMPTS && !isAtRest; i++) {
      used = this.#usedIndex();
      avail = this.#availIndex();
      isAtRest = this.#usedIndex() === used;
    }
    if (!this.#isStarted) this.#start(used, avail, isAtRest);
    this.#note(used, avail);
    findings.interval(nowNs - this.#lastNs, INDICES);
    const outstanding = (avail - used) & 0xffff;
    if (!isAtRest || outstanding > this.#size) {
      if (isAtRest) this.#lookAtGap(used, avail);
      this.#entries.lose(used, avail);
      this.#chains.skipTo(avail);
    } else {
      this.#isGap = false;
      this.#lookForStepsBack(used, avail);
      this.#advance(used, avail, nowNs);
    }
    this.#lastNs = nowNs;
    this.#lastAvail = avail;
    this.#lastUsed = used;
    findings.end();
    return findings.sample;
  }

  #advance(used: number, avail: number, nowNs: number): void {
    const interval = this.#interval;
    const { sample } = this.#findings;
    const most = Math.min(this.#size, this.#limits.maxEntries);
    interval.used = used;
    interval.avail = avail;
    interval.lastUsed = this.#lastUsed;
    interval.lastAvail = this.#lastAvail;
    interval.nowNs = nowNs;
    interval.isSlow = sample.availSteps <= most && sample.usedSteps <= most;
    interval.isWrapless = fewerThan(INDICES - this.#size, nowNs - this.#lastNs);
    this.#entries.advance(interval);
    if (used === avail) this.#entries.startEmpty(used);
    this.#chains.look(interval);
    this.#inOrderHeads?.look(used, avail);
    if (!interval.isSlow) this.#entries.lookAgain(used, avail);
  }

  #availIndex(): number {
    return Atomics.load(this.#u16, this.#availWord + 1);
  }

  #usedIndex(): number {
    return Atomics.load(this.#u16, this.#usedWord + 1);
  }

  /** With a base at which the used index still is, all that is outstanding was offered since. */
  #start(used: number, avail: number, isAtRest: boolean): void {
    this.#isStarted = true;
    const { base } = this.#ring;
    const isFresh = isAtRest && base === used && ((avail - used) & 0xffff) <= this.#size;
    const from = isFresh ? used : avail;
    this.#lastUsed = used;
    this.#lastAvail = from;
    this.#entries.lose(used, from);
    if (isFresh) this.#entries.startEmpty(used);
    this.#chains.skipTo(from);
  }

  /** Indices, flags and event words into the sample; flags out of range are a violation. */
  #note(used: number, avail: number): void {
    const { sample } = this.#findings;
    const u16 = this.#u16;
    const driverFlags = Atomics.load(u16, this.#availWord);
    const deviceFlags = Atomics.load(u16, this.#usedWord);
    const driverEvent = this.#hasEvents ? Atomics.load(u16, this.#availWord + 2 + this.#size) : -1;
    const deviceEvent = this.#hasEvents ? Atomics.load(u16, this.#usedWord + 2 + 4 * this.#size) : -1;
    sample.changed =
      sample.avail !== avail ||
      sample.used !== used ||
      sample.driverFlags !== driverFlags ||
      sample.deviceFlags !== deviceFlags ||
      sample.driverEvent !== driverEvent ||
      sample.deviceEvent !== deviceEvent;
    sample.avail = avail;
    sample.used = used;
    sample.driverFlags = driverFlags;
    sample.deviceFlags = deviceFlags;
    sample.driverEvent = driverEvent;
    sample.deviceEvent = deviceEvent;
    sample.availSteps = (avail - this.#lastAvail) & 0xffff;
    sample.usedSteps = (used - this.#lastUsed) & 0xffff;
    sample.availMissed = sample.availSteps;
    sample.usedMissed = sample.usedSteps;
    const findings = this.#findings;
    findings.sayOnce('avail-flags', driverFlags > 1, () => `avail.flags is ${driverFlags}`);
    findings.sayOnce('used-flags', deviceFlags > 1, () => `used.flags is ${deviceFlags}`);
  }

  /** More outstanding than the queue holds, with the used index at rest around the read of the available one. */
  #lookAtGap(used: number, avail: number): void {
    if (this.#isGap) return;
    for (let i = 0; i < ATTEMPTS; i++) {
      if (this.#usedIndex() !== used || this.#availIndex() !== avail) return;
    }
    this.#isGap = true;
    const availBack = (this.#lastAvail - avail) & 0xffff;
    const usedBack = (this.#lastUsed - used) & 0xffff;
    const text = `avail.idx ${this.#lastAvail} -> ${avail}, used.idx ${this.#lastUsed} -> ${used} in a queue of ${this.#size}`;
    if (this.#availBack.isSuspected || this.#usedBack.isSuspected) this.#findings.say('index-gap', text);
    else if (usedBack === 0 && availBack !== 0) {
      this.#findings.say(availBack <= this.#size ? 'avail-index-back' : 'avail-index-jump', text);
    } else if (availBack === 0 && usedBack !== 0) {
      this.#findings.say(usedBack <= this.#size ? 'used-index-back' : 'used-index-jump', text);
    } else this.#findings.say('index-gap', text);
  }

  /** Steps back that leave both indices plausible. */
  #lookForStepsBack(used: number, avail: number): void {
    const outstanding = (avail - used) & 0xffff;
    const availBefore = (this.#lastAvail - used) & 0xffff;
    const isUsedAtRest = used === this.#lastUsed && availBefore <= this.#size;
    if (this.#availBack.look(used, isUsedAtRest, availBefore, outstanding)) {
      const text = `avail.idx went back by ${this.#availBack.steps} to ${avail} while used.idx stayed at ${used}`;
      this.#findings.say('avail-index-back', text);
    }
    const freeBefore = this.#size - ((avail - this.#lastUsed) & 0xffff);
    const isAvailAtRest = avail === this.#lastAvail && freeBefore >= 0;
    if (this.#usedBack.look(avail, isAvailAtRest, freeBefore, this.#size - outstanding)) {
      const text = `used.idx went back by ${this.#usedBack.steps} to ${used} while avail.idx stayed at ${avail}`;
      this.#findings.say('used-index-back', text);
    }
  }
}
