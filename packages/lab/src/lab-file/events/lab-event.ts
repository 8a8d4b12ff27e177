import type { ScenarioEvent } from '@vhostlab/workload';
import type { z } from 'zod';
import { durationPs, runTime } from '../duration.ts';
import { part } from '../part.ts';
import type { EventScope, LabEventKind } from './event-kind.ts';
import { linkEvent, linkEventSchema } from './link.ts';
import { migrateEvent, migrateEventSchema } from './migrate.ts';
import { swapEvent, swapEventSchema } from './swap.ts';

/** Every kind of event: a further one is a file beside `link.ts`, a line here and one in the schema. */
const KINDS = { link: linkEvent, migrate: migrateEvent, swap: swapEvent };
type KindName = keyof typeof KINDS;

const KIND_NAMES = Object.keys(KINDS) as KindName[];

/** An event of a lab file: its moment and one thing that happens then. */
export const labEventSchema = part({
  at: runTime.meta({ description: 'Virtual time from the start of traffic, in every run of the lab.' }),
  link: linkEventSchema.optional(),
  migrate: migrateEventSchema.optional(),
  swap: swapEventSchema.optional(),
})
  .superRefine((event, context) => {
    const named = KIND_NAMES.filter((name) => event[name] !== undefined);
    if (named.length === 1) return;
    const message =
      named.length === 0
        ? `says no event; there are ${KIND_NAMES.join(', ')}`
        : `says ${named.join(' and ')}; an event is one of them`;
    context.addIssue({ code: 'custom', message });
  })
  .meta({ description: 'Something that happens to the runs of the lab.' });

/** An event as lab files and options write it. */
export type LabFileEvent = z.infer<typeof labEventSchema>;

/** Kind of an event and the value below its key. */
function kindOf(event: LabFileEvent): { name: KindName; kind: LabEventKind<unknown>; value: unknown } {
  const name = KIND_NAMES.find((key) => event[key] !== undefined) as KindName;
  return { name, kind: KINDS[name] as LabEventKind<unknown>, value: event[name] };
}

/** Checks what an event refers to and answers it with the usual names of nodes. Throws what `scope.fault` makes. */
export function resolveEvent(event: LabFileEvent, scope: EventScope): LabFileEvent {
  const { name, kind, value } = kindOf(event);
  const fault = (path: readonly PropertyKey[], message: string) => scope.fault([name, ...path], message);
  return { ...event, [name]: kind.resolve(value, { ...scope, fault }) } as LabFileEvent;
}

/** Events in the order of their moments, those of one moment as written. */
export function sortedByMoment(events: readonly LabFileEvent[]): LabFileEvent[] {
  return [...events].sort((x, y) => durationPs(x.at) - durationPs(y.at));
}

/** What a scenario is told of the events of a lab file, in the order of their moments. */
export function scenarioEvents(events: readonly LabFileEvent[]): ScenarioEvent[] {
  return sortedByMoment(events).map((event) => {
    const { kind, value } = kindOf(event);
    return kind.scenario(value, durationPs(event.at));
  });
}
