import { type MappedArena, monotonicMs, type Reactor, reserveArena, sleep } from '@vhostlab/host';
import { protocolMask } from '@vhostlab/vhost-user';
import { BackEndBench, BENCH_BYTES, type PeerOffer } from '../bench/back-end-bench.ts';
import { BackEndTarget } from '../bench/back-end-target.ts';
import { feature } from '../bench/feature.ts';
import type { BackEndCheck, Need } from '../check.ts';
import { type CheckResult, isOk, type PeerFacts } from '../report/report.ts';
import type { Outcome } from '../report/verdict.ts';
import { outcomeOf, type RunOptions } from './run-options.ts';

const RETRY_MS = 10;
const NOTHING = { protocol: 0n, features: 0n };
const EVERYTHING: PeerOffer = { features: -1n, protocol: -1n, queuePairs: 2 };

/** Runs checks of a back end one after the other. `open` first, `close` last. */
export class BackEndRun {
  readonly #options: RunOptions;
  readonly #target: BackEndTarget;
  readonly #arena: MappedArena;
  #offer: PeerOffer = EVERYTHING;
  /** The last check found it dead, whatever its supervisor or its shell says. */
  #isDead = false;
  #transmits = false;
  #echoes = false;

  constructor(options: RunOptions, reactor: Reactor) {
    this.#options = options;
    this.#target = new BackEndTarget(options.socketPath, options.control, reactor);
    this.#arena = reserveArena(BENCH_BYTES);
  }

  /** Starts the peer if it is ours, and asks what it offers. An outcome instead: it cannot be tested at all. */
  async open(): Promise<PeerFacts | Outcome> {
    await this.#target.restart();
    // a first connection makes some peers allocate what they keep
    if (!(await this.#serves(false, this.#patience())))
      return { verdict: 'died', observed: this.#target.describeEnd() };
    await this.#target.keptDescriptors(this.#options.limits.closeMs);
    const bench = this.#bench(NOTHING);
    try {
      const { features, protocolOffered: protocol, queuePairs } = await bench.link();
      this.#offer = { features, protocol, queuePairs };
    } catch (error) {
      return outcomeOf(error);
    } finally {
      bench.dispose();
    }
    if (this.#options.isNetwork) await this.#tryTraffic();
    const { features, protocol, queuePairs } = this.#offer;
    return {
      role: 'back end',
      features: `0x${features.toString(16)}`,
      protocolFeatures: `0x${protocol.toString(16)}`,
      queuePairs,
      transmits: this.#transmits,
      echoes: this.#echoes,
    };
  }

  /** Runs one check, and looks whether the peer still serves. */
  async run(check: BackEndCheck): Promise<CheckResult> {
    const started = monotonicMs();
    const missing = this.#missing(check);
    const outcome: Outcome =
      missing === null ? await this.#judge(check) : { verdict: 'not-claimed', observed: missing };
    return { check, ...outcome, ok: isOk(check, outcome), durationMs: monotonicMs() - started };
  }

  /** True when the peer can be started anew after it died. */
  get canRestart(): boolean {
    return this.#options.control !== null;
  }

  async close(): Promise<void> {
    this.#arena.release();
    await this.#options.control?.stop();
  }

  async #judge(check: BackEndCheck): Promise<Outcome> {
    const { control, restart } = this.#options;
    const mustStart = restart === 'each' || this.#isDead || (control !== null && control.ended !== null);
    if (control !== null && mustStart) await this.#target.restart();
    this.#isDead = false;
    const bench = this.#bench({ protocol: protocolMask(...check.protocol), features: check.features });
    let outcome: Outcome;
    try {
      outcome = await check.run(bench);
    } catch (error) {
      outcome = outcomeOf(error);
    } finally {
      bench.dispose();
    }
    const [complaint] = bench.complaints;
    if (complaint !== undefined && isOk(check, outcome)) outcome = { verdict: 'failed', observed: complaint };
    if (!(await this.#serves(check.needs.includes('traffic')))) {
      this.#isDead = true;
      return { verdict: 'died', observed: `${outcome.observed}; ${this.#target.describeEnd()}` };
    }
    const kept = await this.#target.keptDescriptors(this.#options.limits.closeMs);
    if (kept > 0 && isOk(check, outcome)) {
      outcome = { verdict: 'failed', observed: `${outcome.observed}; ${kept} descriptors are left open` };
    }
    const isClaimed = check.protocol.length > 0;
    return isClaimed && outcome.verdict === 'failed' ? { ...outcome, verdict: 'claimed-failed' } : outcome;
  }

  /** Whether it serves again, soon enough: some of it may have to come back first. */
  async #serves(traffic: boolean, timeoutMs = this.#options.limits.recoverMs): Promise<boolean> {
    const end = monotonicMs() + timeoutMs;
    for (;;) {
      if (await this.#servesNow(traffic, Math.max(RETRY_MS, end - monotonicMs()))) return true;
      if (this.#options.control?.ended != null || monotonicMs() >= end) return false;
      await sleep(RETRY_MS);
    }
  }

  /** Whether a new connection gets through a good handshake, and with `traffic` through a good frame. */
  async #servesNow(traffic: boolean, connectMs: number): Promise<boolean> {
    const bench = this.#bench(NOTHING, connectMs);
    try {
      if (!traffic) await bench.link();
      else {
        const rig = await bench.running({ format: 'split', pairs: 1 });
        return await rig.transmit(rig.tx());
      }
      return true;
    } catch (error) {
      outcomeOf(error);
      return false;
    } finally {
      bench.dispose();
    }
  }

  async #tryTraffic(): Promise<void> {
    const bench = this.#bench(NOTHING);
    try {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      this.#transmits = await rig.transmit(rig.tx());
      if (!this.#transmits) return;
      let frames = 0;
      this.#echoes = await rig.until(() => {
        frames += rig.rx().collect().length;
        return frames > 0;
      }, this.#options.limits.ringMs / 4);
    } catch (error) {
      outcomeOf(error);
    } finally {
      bench.dispose();
    }
  }

  /** How long a peer may take to serve for the first time: one that somebody else has started is there, or not. */
  #patience(): number {
    const { control, limits } = this.#options;
    return control === null ? Math.min(limits.recoverMs, limits.replyMs) : limits.recoverMs;
  }

  #bench(wanted: { protocol: bigint; features: bigint }, recoverMs?: number): BackEndBench {
    const { repeats } = this.#options;
    const limits = { ...this.#options.limits, ...(recoverMs !== undefined && { recoverMs }) };
    return new BackEndBench(this.#target, this.#arena, limits, repeats, this.#offer, wanted);
  }

  /** What the peer lacks for a check, in words; null when nothing. */
  #missing(check: BackEndCheck): string | null {
    const { features, protocol, queuePairs } = this.#offer;
    const lacked = check.protocol.filter((name) => (protocol & protocolMask(name)) === 0n);
    if (lacked.length > 0) return `it does not offer ${lacked.join(' and ')}`;
    if ((features & check.features) !== check.features) return 'it does not offer the features of the check';
    const words: Record<Need, [boolean, string]> = {
      traffic: [this.#transmits, 'it uses no transmit buffers'],
      echo: [this.#echoes, 'it gives no frames back to the guest: start it with a port that does'],
      // what a device has that offers nothing
      split: [true, ''],
      packed: [(features & feature('RING_PACKED')) !== 0n, 'it does not offer packed rings'],
      indirect: [(features & feature('INDIRECT_DESC')) !== 0n, 'it does not offer indirect descriptors'],
      'event-idx': [(features & feature('EVENT_IDX')) !== 0n, 'it does not offer EVENT_IDX'],
      'two-pairs': [queuePairs > 1, 'it has one queue pair'],
      process: [this.#target.facts() !== undefined, 'its process cannot be looked into'],
    };
    for (const need of check.needs) if (!words[need][0]) return words[need][1];
    return null;
  }
}
