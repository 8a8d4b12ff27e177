import { HostError, Reactor, sleep, UnixListener, UnixSocket } from '@vhostlab/host';
import { Injector } from '../inject/injector.ts';
import { Journal } from './journal.ts';
import type { TapOptions } from './options.ts';
import type { RingTotals } from './ring-set.ts';
import { Sampler } from './sampler.ts';
import { TapSession } from './tap-session.ts';
import type { ViolationCount } from './violation-counts.ts';

/** Between two flushes of the files. */
const FLUSH_MS = 200;
/** Attempts of a back end in client mode to reach the front end that is still starting. */
const CONNECT_ATTEMPTS = 50;
const CONNECT_PAUSE_MS = 100;

/** What a tap has seen. */
export interface TapSummary {
  readonly seconds: number;
  /** Front-end connections. */
  readonly sessions: number;
  readonly messages: number;
  readonly kicks: number;
  readonly calls: number;
  readonly samples: number;
  readonly frames: number;
  /** Times that a rule of `--inject` applied. */
  readonly injected: number;
  readonly rings: readonly RingTotals[];
  readonly violations: readonly ViolationCount[];
  readonly violationCount: number;
}

/** A tap that runs. */
export interface Tap {
  /** Resolves when it has nothing more to do: with `once`, after the first front end. */
  readonly ended: Promise<void>;
  /** As it is now. */
  summary(): TapSummary;
  /** Closes everything; again: the same. */
  stop(): Promise<TapSummary>;
}

/**
 * Listens, and puts itself between each front end and a back end. `echo` gets the lines of the live log. Throws a
 * HostError or the system's error when the socket or a file cannot be made.
 */
export function startTap(options: TapOptions, echo: ((line: string) => void) | null = null): Tap {
  return new RunningTap(options, echo);
}

class RunningTap implements Tap {
  readonly ended: Promise<void>;
  readonly #options: TapOptions;
  readonly #reactor = new Reactor();
  readonly #listener: UnixListener;
  readonly #journal: Journal;
  readonly #injector: Injector;
  readonly #sampler: Sampler | null;
  readonly #flush: NodeJS.Timeout;
  readonly #unwatch: () => void;
  readonly #sessions = new Set<TapSession>();
  readonly #totals = new Map<number, RingTotals>();
  #count = 0;
  #samples = 0;
  #end: () => void = () => undefined;
  #stopped: Promise<TapSummary> | undefined;
  #isStopping = false;

  constructor(options: TapOptions, echo: ((line: string) => void) | null) {
    this.#options = options;
    this.#injector = new Injector(options.inject);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    try {
      this.#listener = UnixListener.listen(options.listen);
    } catch (error) {
      void this.#reactor.stop();
      throw error;
    }
    try {
      this.#journal = new Journal({ ...options, notifications: this.#notifications, echo });
    } catch (error) {
      this.#listener.close();
      void this.#reactor.stop();
      throw error;
    }
    this.#unwatch = this.#reactor.watch(this.#listener.fd, () => void this.#accept());
    this.#sampler = options.sampleHz > 0 ? new Sampler(options.sampleHz, () => this.#look()) : null;
    this.#flush = setInterval(() => this.#journal.flush(), FLUSH_MS);
  }

  get #notifications(): boolean {
    return this.#options.notifications || this.#injector.needsNotifications;
  }

  summary(): TapSummary {
    const rings = new Map(this.#totals);
    for (const session of this.#sessions) addTotals(rings, session.rings.totals());
    const { messages, kicks, calls, frameCount, violations, nowNs } = this.#journal;
    return {
      seconds: nowNs / 1e9,
      sessions: this.#count,
      messages,
      kicks,
      calls,
      samples: this.#samples,
      frames: frameCount,
      injected: this.#injector.applied,
      rings: [...rings.values()].sort((a, b) => a.queue - b.queue),
      violations: violations.list(),
      violationCount: violations.total,
    };
  }

  stop(): Promise<TapSummary> {
    this.#stopped ??= this.#stopNow();
    return this.#stopped;
  }

  async #stopNow(): Promise<TapSummary> {
    this.#isStopping = true;
    this.#unwatch();
    this.#listener.close();
    this.#sampler?.stop();
    clearInterval(this.#flush);
    for (const session of this.#sessions) session.stop();
    await Promise.all([...this.#sessions].map((session) => session.ended));
    await this.#reactor.stop();
    const summary = this.summary();
    this.#journal.close();
    this.#end();
    return summary;
  }

  #look(): void {
    for (const session of this.#sessions) session.rings.lookAtAll();
    if (this.#sessions.size > 0) this.#samples++;
  }

  async #accept(): Promise<void> {
    const accepted = this.#listener.accept();
    if (accepted === undefined) return;
    const number = ++this.#count;
    const connected = await this.#connect(number);
    if (connected === null || this.#isStopping) {
      accepted.close();
      connected?.close();
      return;
    }
    const [front, back] = this.#options.acceptBackend ? [connected, accepted] : [accepted, connected];
    const { journal, reactor, injector } = {
      journal: this.#journal,
      reactor: this.#reactor,
      injector: this.#injector,
    };
    const session = new TapSession(number, front, back, {
      journal,
      reactor,
      injector,
      notifications: this.#notifications,
    });
    this.#sessions.add(session);
    await session.ended;
    this.#sessions.delete(session);
    addTotals(this.#totals, session.rings.totals());
    if (this.#options.once) this.#end();
  }

  /** The other peer's socket; null, with a note, when it is not there. */
  async #connect(number: number): Promise<UnixSocket | null> {
    const { connect, acceptBackend } = this.#options;
    const attempts = acceptBackend ? CONNECT_ATTEMPTS : 1;
    for (let left = attempts; !this.#isStopping; ) {
      try {
        return UnixSocket.connect(connect);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        if (--left === 0) {
          this.#journal.note(number, 'note', `a peer came, and the other one is not there: ${error.message}`);
          return null;
        }
        await sleep(CONNECT_PAUSE_MS);
      }
    }
    return null;
  }
}

function addTotals(into: Map<number, RingTotals>, more: readonly RingTotals[]): void {
  for (const totals of more) {
    const before = into.get(totals.queue);
    if (before === undefined) into.set(totals.queue, totals);
    else {
      const sum = Object.fromEntries(
        Object.entries(totals).map(([key, value]) => [
          key,
          key === 'queue' ? value : value + before[key as keyof RingTotals],
        ]),
      );
      into.set(totals.queue, sum as unknown as RingTotals);
    }
  }
}
