import type { NumberedEvent, ScenarioEvent } from './scenario-event.ts';

/** What `DueEvents` needs of a core; a `CoreContext` of the engine is one. */
export interface EventContext {
  constant(name: string): number;
  onCollect(name: string, collect: () => unknown): void;
}

/** Prefix of the results in which cores say which events took effect: a list of their numbers. */
export const TAKEN_PREFIX = 'events.';

/**
 * The events of one kind on one core: each is taken once, when its moment has come, and what was taken is among the
 * core's results, so that an event that came too late is known. One per kind and core.
 */
export class DueEvents<Kind extends ScenarioEvent['kind']> {
  readonly #events: readonly NumberedEvent<Kind>[];
  readonly #startPs: number;
  #taken = 0;

  /** `events`: those of the core, in order, as `eventsOf` gives them. */
  constructor(context: EventContext, kind: Kind, events: readonly NumberedEvent<Kind>[]) {
    this.#events = events;
    this.#startPs = events.length === 0 ? 0 : Math.round(context.constant('run.trafficStartNs') * 1000);
    if (events.length > 0) {
      context.onCollect(`${TAKEN_PREFIX}${kind}`, () =>
        events.slice(0, this.#taken).map(({ number }) => number),
      );
    }
  }

  /** Moment of the next event in picoseconds from the start of the run; Infinity when there is none. */
  get nextPs(): number {
    const next = this.#events[this.#taken];
    return next === undefined ? Number.POSITIVE_INFINITY : this.#startPs + next.atPs;
  }

  /** Takes the next event if its moment is not after `nowPs`; undefined otherwise. */
  take(nowPs: number): NumberedEvent<Kind> | undefined {
    return this.nextPs <= nowPs ? this.#events[this.#taken++] : undefined;
  }
}
