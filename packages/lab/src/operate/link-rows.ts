import { durationPs } from '../lab-file/duration.ts';
import { type LabFileEvent, sortedByMoment } from '../lab-file/events/lab-event.ts';
import { NOT_THE_WIRE } from '../lab-file/events/link.ts';
import { LINK_SETTINGS } from '../lab-file/link-settings.ts';
import { UsageError } from '../scenario/options.ts';
import type { LabState } from './state.ts';

/** What a link is set to from a moment on. */
export interface LinkSetting {
  /** Virtual time from the start of traffic. */
  from: string;
  delay: string;
  jitter: string;
  loss: string;
  corrupt: string;
  rate: string;
}

/** A link of a lab and what it does to its frames. */
export interface LinkRow {
  endpoints: readonly [string, string];
  /** One way; undefined: that of the cost profile. */
  latency_ns?: number;
  /** Settings in the order of their moments; the first is that of the beginning. */
  settings: LinkSetting[];
  /** Why nothing can be set on it. */
  fixed?: string;
}

/** Why nothing can be set on links of the real clock. */
const SHARED_MEMORY =
  'a link of the real clock is a vhost-user socket: frames lie in memory that both ends share, and pass nothing that could delay or lose them; put a plugin into a backend';

const NOTHING = { delay: '0ns', jitter: '0ns', loss: '0%', corrupt: '0%', rate: 'line' };

/** The links of a lab with their settings. */
export function linkRows(
  state: Pick<LabState, 'clock' | 'links' | 'run_events' | 'wire_latency_ns'>,
): LinkRow[] {
  return state.links.map((endpoints): LinkRow => {
    const fixed = reasonOf(state, endpoints);
    if (fixed !== undefined) return { endpoints, settings: [], fixed };
    return {
      endpoints,
      ...(state.wire_latency_ns === undefined ? {} : { latency_ns: state.wire_latency_ns }),
      settings: settingsOf(state.run_events ?? []),
    };
  });
}

function settingsOf(events: readonly LabFileEvent[]): LinkSetting[] {
  const rows: LinkSetting[] = [{ from: '0ns', ...NOTHING }];
  for (const { at, link } of sortedByMoment(events)) {
    if (link === undefined) continue;
    const last = rows.at(-1) as LinkSetting;
    const row = durationPs(last.from) === durationPs(at) ? last : { ...last, from: at };
    for (const key of LINK_SETTINGS) row[key] = link[key] ?? row[key];
    if (row !== last) rows.push(row);
  }
  return rows;
}

/**
 * The ends of the link that a command names by one of its ends, or by both with a comma between. Throws UsageError when
 * there is none, when several have that end, or when nothing can be set on it.
 */
export function settableLink(
  state: Pick<LabState, 'clock' | 'name' | 'links'>,
  name: string,
): [string, string] {
  const wanted = name.split(',');
  const found = state.links.filter((ends) => wanted.every((end) => ends.includes(end)));
  const known = state.links.map((ends) => ends.join(',')).join(' ');
  const [ends] = found;
  if (ends === undefined || wanted.length > 2)
    throw new UsageError(`lab ${state.name} has no link "${name}"; there are ${known}`);
  if (found.length > 1)
    throw new UsageError(
      `${name} is an end of several links; name both ends: ${found.map((each) => each.join(',')).join(' or ')}`,
    );
  const fixed = reasonOf(state, ends);
  if (fixed !== undefined) throw new UsageError(`${ends.join(',')}: ${fixed}`);
  return [...ends];
}

/** Why nothing can be set on a link; undefined when it can. */
function reasonOf({ clock }: Pick<LabState, 'clock'>, ends: readonly [string, string]): string | undefined {
  if (clock === 'real') return SHARED_MEMORY;
  return ends.every((end) => end.endsWith(':wire')) ? undefined : NOT_THE_WIRE;
}
