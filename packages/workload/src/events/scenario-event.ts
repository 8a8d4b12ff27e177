import { type LinkEvent, linkSettingsText } from './link-event.ts';
import { type MigrateEvent, migrationText } from './migrate-event.ts';
import type { SwapEvent } from './swap-event.ts';

/**
 * Something that is done to a run at a moment of its virtual time: plain data, told apart by `kind`. `atPs` counts integer
 * picoseconds from the start of traffic. A further kind is a file beside this one and a line here, its check in
 * `backend-sdk` and its form in a lab file in `lab`.
 */
export type ScenarioEvent = LinkEvent | MigrateEvent | SwapEvent;

/** One kind of event. */
export type EventOf<Kind extends ScenarioEvent['kind']> = Extract<ScenarioEvent, { kind: Kind }>;

/** An event with its place in `ScenarioConfig.events`, as cores are given it. */
export type NumberedEvent<Kind extends ScenarioEvent['kind'] = ScenarioEvent['kind']> = EventOf<Kind> & {
  number: number;
};

const TEXTS: { readonly [Kind in ScenarioEvent['kind']]: (event: EventOf<Kind>) => string } = {
  link: (event) => `${event.link}: ${linkSettingsText(event)}`,
  migrate: migrationText,
  swap: ({ guest, to }) => `guest${guest} to ${to}`,
};

/** What an event does in words, without its moment. */
export function eventText(event: ScenarioEvent): string {
  return `${event.kind} ${(TEXTS[event.kind] as (event: ScenarioEvent) => string)(event)}`;
}

/** Events of one kind in the order of their moments, each with its number: what a core's configuration holds. */
export function eventsOf<Kind extends ScenarioEvent['kind']>(
  config: { readonly events?: readonly ScenarioEvent[] },
  kind: Kind,
): NumberedEvent<Kind>[] {
  return (config.events ?? [])
    .map((event, number) => ({ ...event, number }))
    .filter((event) => event.kind === kind)
    .sort((x, y) => x.atPs - y.atPs || x.number - y.number) as NumberedEvent<Kind>[];
}
