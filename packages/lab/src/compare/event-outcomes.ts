import { eventText, TAKEN_PREFIX } from '@vhostlab/workload';
import type { ScenarioOutcome } from '../run/run-scenario.ts';

/** An event of the lab in one run. */
export interface EventOutcome {
  /** Microseconds from the start of traffic. */
  at_us: number;
  event: string;
  /** False: the run was over before its moment, or nothing of the run was concerned. */
  took_effect: boolean;
}

/** What became of the events of a run: every core says which it has taken. */
export function eventOutcomes({
  config,
  cores,
}: Pick<ScenarioOutcome, 'config' | 'cores'>): EventOutcome[] | undefined {
  if (config.events === undefined) return undefined;
  const taken = new Set(
    cores.flatMap(({ results }) =>
      Object.entries(results).flatMap(([name, numbers]) =>
        name.startsWith(TAKEN_PREFIX) ? (numbers as number[]) : [],
      ),
    ),
  );
  return config.events.map((event, number) => ({
    at_us: event.atPs / 1e6,
    event: eventText(event),
    took_effect: taken.has(number),
  }));
}

/** One sentence per event that had no effect. */
export function lateEventNotes(events: readonly EventOutcome[] = []): string[] {
  return events
    .filter(({ took_effect }) => !took_effect)
    .map(
      ({ at_us, event }) => `the event at ${at_us} us (${event}) had no effect: the run was over by then.`,
    );
}
