import { emptySample, type ObserverTotals, type RingSample } from './ring-sample.ts';
import { type Party, type RingRuleCode, type RingViolation, ringViolation } from './rules.ts';
import { fewerThan } from './trust.ts';

/** Violations kept of one sample; more are counted only. */
const MAX_PER_SAMPLE = 16;

/** What observers of both formats keep: the sample of now, totals, and that a lasting condition is said once. */
export class Findings {
  readonly sample: RingSample;
  readonly totals: ObserverTotals = {
    samples: 0,
    availSteps: 0,
    availMissed: 0,
    usedSteps: 0,
    usedMissed: 0,
    longIntervals: 0,
    chains: 0,
    unproven: 0,
    violations: 0,
  };
  readonly #queue: number;
  readonly #lasting = new Set<string>();

  constructor(queue: number, isPacked: boolean) {
    this.#queue = queue;
    this.sample = emptySample(isPacked);
  }

  begin(): void {
    this.totals.samples++;
    if (this.sample.violations.length > 0) this.sample.violations = [];
  }

  /** Notes how long after the last sample this one is; the driver's place comes again after so many steps. */
  interval(elapsedNs: number, around: number): void {
    const { sample, totals } = this;
    if (totals.samples > 1 && sample.availSteps > 0 && !fewerThan(around, elapsedNs)) totals.longIntervals++;
  }

  /** Adds up the steps of the sample. */
  end(): void {
    const { sample, totals } = this;
    totals.availSteps += Math.max(0, sample.availSteps);
    totals.availMissed += sample.availMissed;
    totals.usedSteps += Math.max(0, sample.usedSteps);
    totals.usedMissed += sample.usedMissed;
  }

  say(code: RingRuleCode, text: string, party?: Party): void {
    this.totals.violations++;
    const violation: RingViolation = ringViolation(code, this.#queue, text, party);
    if (this.sample.violations.length < MAX_PER_SAMPLE) this.sample.violations.push(violation);
  }

  /** Says it when `isBroken` begins to hold, and again only after it has ceased to. */
  sayOnce(code: RingRuleCode, isBroken: boolean, text: () => string, party?: Party): void {
    if (!isBroken) {
      if (this.#lasting.size > 0) this.#lasting.delete(code);
    } else if (!this.#lasting.has(code)) {
      this.#lasting.add(code);
      this.say(code, text(), party);
    }
  }
}
