import { HostError, monotonicMs, Reactor, sleep, UnixSocket } from '@vhostlab/host';
import type { ViolationCount } from '../tap/violation-counts.ts';
import type { ReplayOptions } from './options.ts';
import { type Difference, Outcome, type PlayedCounts } from './outcome.ts';
import { planReplay, type ReplayPlan, type SessionPlan } from './plan.ts';
import { ReplaySession } from './replay-session.ts';

/** Between two attempts to connect again. */
const CONNECT_PAUSE_MS = 20;

/** A violation, and in how many runs it was seen. */
export interface ReplayedViolation extends ViolationCount {
  runs: number;
}

/** A difference, and in how many runs it was seen. */
export interface ReplayedDifference extends Difference {
  runs: number;
}

/** What replaying has shown. */
export interface ReplaySummary {
  /** Runs that were played, and those in which something was wrong. */
  readonly runs: number;
  readonly faultyRuns: number;
  readonly seconds: number;
  /** Connections of each run. */
  readonly sessions: number;
  readonly violations: readonly ReplayedViolation[];
  readonly differences: readonly ReplayedDifference[];
  /** Of all runs together. */
  readonly played: Readonly<PlayedCounts>;
  /** What was not played, and why. */
  readonly notes: readonly string[];
}

/** The back end cannot be reached at all; one sentence. */
export class ReplayError extends Error {
  override readonly name = 'ReplayError';
  readonly exitCode = 2;
}

/**
 * Plays a record against the back end at a socket. Ends early, with what there is, when `signal` is aborted. Throws a
 * RecordError when the record is none, a ReplayError when there is no back end.
 */
export async function replay(
  options: ReplayOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<ReplaySummary> {
  const plan = planReplay(options.folder);
  const total = new Total(plan);
  const reactor = new Reactor();
  const start = monotonicMs();
  try {
    for (let run = 0; run < options.repeat && !signal.aborted; run++) {
      const outcome = new Outcome();
      for (const [at, session] of plan.sessions.entries()) {
        if (signal.aborted) break;
        const socket = await connect(options, run === 0 && at === 0, outcome, session);
        if (socket === null) break;
        await new ReplaySession(socket, session, { plan, options, reactor, outcome, signal }).run();
      }
      total.add(outcome);
    }
  } finally {
    await reactor.stop();
  }
  return total.summary((monotonicMs() - start) / 1000);
}

/** Null, with a difference: a back end that was there is there no more. */
async function connect(
  { socketPath, timeoutMs }: ReplayOptions,
  isFirst: boolean,
  outcome: Outcome,
  { number }: SessionPlan,
): Promise<UnixSocket | null> {
  const end = monotonicMs() + timeoutMs;
  for (;;) {
    try {
      return UnixSocket.connect(socketPath);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (isFirst) throw new ReplayError(`${error.message}; name the socket at which a back end listens.`);
      if (monotonicMs() >= end) {
        outcome.differs('connect', `connection ${number}: the back end is gone: ${error.message}`);
        return null;
      }
      await sleep(CONNECT_PAUSE_MS);
    }
  }
}

/** Adds up the outcomes of all runs. */
class Total {
  readonly #plan: ReplayPlan;
  readonly #violations = new Map<string, ReplayedViolation>();
  readonly #differences = new Map<string, ReplayedDifference>();
  readonly #notes: Set<string>;
  readonly #played: PlayedCounts = new Outcome().counts;
  #runs = 0;
  #faulty = 0;

  constructor(plan: ReplayPlan) {
    this.#plan = plan;
    this.#notes = new Set(plan.notes);
  }

  add(outcome: Outcome): void {
    const { violations, differences, notes, counts } = outcome;
    this.#runs++;
    if (violations.length + differences.length > 0) this.#faulty++;
    for (const violation of violations) {
      const key = `${violation.code}/${violation.party}/${violation.queue}`;
      const known = this.#violations.get(key);
      if (known === undefined) this.#violations.set(key, { ...violation, runs: 1 });
      else {
        known.count += violation.count;
        known.runs++;
      }
    }
    const seen = new Map(differences.map((each) => [`${each.about}: ${each.text}`, each]));
    for (const [key, difference] of seen) {
      const known = this.#differences.get(key);
      if (known === undefined) this.#differences.set(key, { ...difference, runs: 1 });
      else known.runs++;
    }
    for (const note of notes) this.#notes.add(note);
    for (const key of Object.keys(counts) as (keyof PlayedCounts)[]) this.#played[key] += counts[key];
  }

  summary(seconds: number): ReplaySummary {
    return {
      runs: this.#runs,
      faultyRuns: this.#faulty,
      seconds,
      sessions: this.#plan.sessions.length,
      violations: [...this.#violations.values()],
      differences: [...this.#differences.values()],
      played: this.#played,
      notes: [...this.#notes],
    };
  }
}
