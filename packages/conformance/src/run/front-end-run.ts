import { type MappedArena, monotonicMs, type Reactor, reserveArena } from '@vhostlab/host';
import { FrontEndBench } from '../bench/front-end-bench.ts';
import { FrontEndTarget } from '../bench/front-end-target.ts';
import { VISIT_BYTES } from '../bench/visit.ts';
import type { FrontEndCheck } from '../check.ts';
import { type CheckResult, isOk, type PeerFacts } from '../report/report.ts';
import { type Outcome, outcome } from '../report/verdict.ts';
import { outcomeOf, type RunOptions } from './run-options.ts';

/** Runs checks of a front end one after the other. `open` first, `close` last. */
export class FrontEndRun {
  readonly #options: RunOptions;
  readonly #arena: MappedArena;
  readonly #target: FrontEndTarget;
  #hasChannel = false;
  #isPacked = false;
  #isSplit = true;

  constructor(options: RunOptions, reactor: Reactor) {
    this.#options = options;
    this.#arena = reserveArena(VISIT_BYTES);
    this.#target = new FrontEndTarget(options.socketPath, options.control, reactor, this.#arena);
  }

  get canRestart(): boolean {
    return this.#options.control !== null;
  }

  /** Lets the front end come once, and sees what it wants. An outcome instead: it cannot be tested at all. */
  async open(): Promise<PeerFacts | Outcome> {
    await this.#options.control?.start();
    const facts = await this.#meet();
    if (this.#isPacked) {
      await this.#renew();
      this.#isSplit = await this.#runsRings(false);
    }
    return facts;
  }

  /** Offers packed rings, and sees what is taken. */
  async #meet(): Promise<PeerFacts | Outcome> {
    const { limits } = this.#options;
    const bench = new FrontEndBench(this.#target, limits);
    try {
      const visit = await bench.visit({ packed: true });
      const receive = await visit.stocked(0, limits.recoverMs);
      if (receive === null) return outcome('failed', visit.ended ?? 'its rings do not run');
      const transmits = (await visit.stocked(1, limits.pauseMs * 4)) !== null;
      const { features, protocolFeatures } = visit.device;
      this.#hasChannel = visit.hasChannel;
      this.#isPacked = visit.isPacked;
      return {
        role: 'front end',
        features: `0x${features.toString(16)}`,
        protocolFeatures: `0x${protocolFeatures.toString(16)}`,
        queuePairs: Math.ceil(visit.device.rings.size / 2),
        transmits,
        echoes: false,
      };
    } catch (error) {
      return outcomeOf(error);
    } finally {
      await bench.dispose();
    }
  }

  async run(check: FrontEndCheck): Promise<CheckResult> {
    const started = monotonicMs();
    const missing = this.#missing(check);
    const found: Outcome =
      missing === null ? await this.#judge(check) : { verdict: 'not-claimed', observed: missing };
    return { check, ...found, ok: isOk(check, found), durationMs: monotonicMs() - started };
  }

  async close(): Promise<void> {
    await this.#options.control?.stop();
    this.#target.close();
    this.#arena.release();
  }

  async #judge(check: FrontEndCheck): Promise<Outcome> {
    await this.#renew();
    const bench = new FrontEndBench(this.#target, this.#options.limits, this.#isPacked);
    let found: Outcome;
    try {
      found = await check.run(bench);
    } catch (error) {
      found = outcomeOf(error);
    } finally {
      await bench.dispose();
    }
    const { control } = this.#options;
    const isBack = control?.crashed !== true && found.verdict !== 'died' ? await this.#comesBack() : true;
    // it may have ended while it was waited for
    if (control?.crashed === true) return outcome('died', `${found.observed}; ${control.ended}`);
    if (!isBack && control?.ended == null) {
      return outcome('died', `${found.observed}; ${this.#target.describeEnd()}`);
    }
    if (found.verdict === 'passed') found = this.#afterwards(found);
    const isClaimed = check.protocol.length > 0;
    return isClaimed && found.verdict === 'failed' ? { ...found, verdict: 'claimed-failed' } : found;
  }

  /** A front end whose process ended by itself has disconnected. */
  #afterwards(found: Outcome): Outcome {
    const { control } = this.#options;
    if (control?.ended == null || control.crashed) return found;
    return outcome('disconnected', `${found.observed}; ${control.ended}`);
  }

  /** Starts the front end anew where that is asked for, or where it has ended. */
  async #renew(): Promise<void> {
    const { control, restart } = this.#options;
    if (control === null || (restart === 'ended' && control.ended === null)) return;
    // what the old one left in the queue goes first: the new one may connect only once
    await control.stop();
    this.#target.drop();
    await control.start();
  }

  /** Whether it connects again and gets its rings to run: asked only of one that is not started anew in any case. */
  async #comesBack(): Promise<boolean> {
    const { control, restart } = this.#options;
    if (control !== null && (restart === 'each' || control.ended !== null)) return true;
    return this.#runsRings(this.#isPacked);
  }

  /** Whether it connects and gets its rings to run where packed rings are offered or not. */
  async #runsRings(packed: boolean): Promise<boolean> {
    const { limits } = this.#options;
    const bench = new FrontEndBench(this.#target, limits);
    try {
      const visit = await bench.visit({ packed });
      return (await visit.stocked(0, limits.recoverMs)) !== null;
    } catch (error) {
      outcomeOf(error);
      return false;
    } finally {
      await bench.dispose();
    }
  }

  #missing(check: FrontEndCheck): string | null {
    if (check.protocol.includes('BACKEND_REQ') && !this.#hasChannel) {
      return 'it does not acknowledge BACKEND_REQ';
    }
    if (check.needs.includes('packed') && !this.#isPacked) return 'it does not acknowledge packed rings';
    if (check.needs.includes('split') && !this.#isSplit) return 'it insists on packed rings';
    return null;
  }
}
