import type { RingFacts, SessionState } from '../flow/session-state.ts';
import type { WatchedMemory } from '../memory/watched-memory.ts';
import type { ObserverTotals, RingSample } from '../observe/ring-sample.ts';
import type { Journal } from './journal.ts';
import { placeRing } from './ring-place.ts';
import { WatchedRing } from './watched-ring.ts';

/** Totals of one ring over all times that it ran. */
export interface RingTotals extends ObserverTotals {
  readonly queue: number;
}

/** The rings of one session that run. */
export class RingSet {
  readonly memory: WatchedMemory;
  readonly #session: number;
  readonly #journal: Journal;
  readonly #state: SessionState;
  readonly #rings = new Map<number, WatchedRing>();
  readonly #past = new Map<number, RingTotals>();

  constructor(session: number, memory: WatchedMemory, state: SessionState, journal: Journal) {
    this.#session = session;
    this.memory = memory;
    this.#state = state;
    this.#journal = journal;
  }

  /** A ring is about to start, or has been running: watches it, or says why not. */
  start(facts: RingFacts, isStarting = true): void {
    this.stop(facts.index);
    const placed = placeRing(facts, this.#state, this.memory, isStarting);
    if ('ring' in placed) {
      const watched = new WatchedRing(this.#session, placed.ring, this.memory, this.#journal);
      this.#rings.set(facts.index, watched);
      if (!this.#state.isPostcopy) watched.look(this.#journal.nowNs);
    } else if (placed.isViolation) {
      this.#journal.violation(this.#session, facts.index, {
        code: 'ring-address',
        party: 'front end',
        text: placed.problem,
        clause: 'vhost-user, VHOST_USER_SET_VRING_ADDR',
      });
    } else this.#journal.note(this.#session, 'note', placed.problem);
  }

  /** A ring stops, or its memory goes away. `look`: memory is as the peers left it, so a last look is worth it. */
  stop(index: number, look = true): void {
    const watched = this.#rings.get(index);
    if (watched === undefined) return;
    this.#rings.delete(index);
    if (look && !this.#state.isPostcopy) watched.stop();
    this.#add(index, watched.totals);
  }

  stopAll(look = true): void {
    for (const index of [...this.#rings.keys()]) this.stop(index, look);
  }

  /** Memory has changed: rings that ran go on where they are now. */
  replace(running: readonly RingFacts[]): void {
    for (const facts of running) {
      if (facts.started) this.start(facts, false);
    }
  }

  /** Looks at one ring now; null when it is not watched. */
  look(index: number): RingSample | null {
    const watched = this.#rings.get(index);
    if (watched === undefined || this.#state.isPostcopy) return null;
    return watched.look(this.#journal.nowNs);
  }

  /** Looks at all of them. */
  lookAtAll(): void {
    if (this.#state.isPostcopy) return;
    for (const watched of this.#rings.values()) watched.look(this.#journal.nowNs);
  }

  totals(): RingTotals[] {
    const all = new Map(this.#past);
    for (const [queue, watched] of this.#rings) all.set(queue, sum(queue, all.get(queue), watched.totals));
    return [...all.values()].sort((a, b) => a.queue - b.queue);
  }

  #add(queue: number, totals: ObserverTotals): void {
    this.#past.set(queue, sum(queue, this.#past.get(queue), totals));
  }
}

function sum(queue: number, a: ObserverTotals | undefined, b: ObserverTotals): RingTotals {
  const result: Record<string, number> = { queue };
  for (const [key, value] of Object.entries(b)) result[key] = value + (a?.[key as keyof ObserverTotals] ?? 0);
  return result as unknown as RingTotals;
}
