import { z } from 'zod';
import { LINK_SETTINGS, type LinkSettingsText, linkSettingsOf, linkSettingsShape } from '../link-settings.ts';
import { part } from '../part.ts';
import type { EventScope, LabEventKind } from './event-kind.ts';

/** `link` of an event: which link, and what changes. */
export const linkEventSchema = part({
  endpoints: z
    .tuple([z.string(), z.string()], { error: 'must be two ends, as in [nic0:wire, station:wire]' })
    .meta({ description: 'Ends of the link.' }),
  ...linkSettingsShape,
})
  .refine((value) => LINK_SETTINGS.some((key) => value[key] !== undefined), {
    error: `changes nothing; set ${LINK_SETTINGS.join(', ').replace(/, ([^,]*)$/, ' or $1')}`,
  })
  .meta({ description: 'Changes what a link does to its frames.' });

type LinkValue = z.infer<typeof linkEventSchema>;

/** Event `link`. */
export const linkEvent: LabEventKind<LinkValue> = {
  resolve: (value, scope) => ({
    ...value,
    endpoints: value.endpoints.map((end) => wireEnd(end, scope)) as [string, string],
  }),
  scenario: ({ endpoints, ...settings }, atPs) => ({
    kind: 'link',
    atPs,
    link: 'wire',
    ...linkSettingsOf(settings),
  }),
};

/** An end of the wire with its usual name. */
function wireEnd(end: string, scope: EventScope): string {
  const [node = '', port] = end.split(':');
  const kind = scope.kindOf(node);
  if (kind === undefined) {
    throw scope.fault(
      ['endpoints'],
      `${end}: there is no node "${node}"; there are ${scope.nodes.join(', ')}`,
    );
  }
  if (port !== 'wire' || (kind !== 'nic' && kind !== 'station')) {
    throw scope.fault(['endpoints'], `${end}: ${NOT_THE_WIRE}`);
  }
  return `${scope.usualName(node)}:wire`;
}

/** What a link is set to from the beginning: an event at the start of traffic. */
export function initialSettings(settings: LinkSettingsText): {
  at: string;
  link: { endpoints: [string, string] } & LinkSettingsText;
} {
  return { at: '0ns', link: { endpoints: ['nic0:wire', 'station:wire'], ...settings } };
}

/** Why other links take no settings. */
export const NOT_THE_WIRE =
  'only the wire, between the network card and the station, can be impaired: the other links are memory and requests inside one machine';
