import { ContractError } from '@vhostlab/contracts';
import { withEvent } from '../lab-file/events/add-event.ts';
import { type LabFileEvent, labEventSchema } from '../lab-file/events/lab-event.ts';
import { readLabFile } from '../lab-file/read.ts';
import { describeIssue } from '../scenario/describe-issue.ts';
import { UsageError } from '../scenario/options.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import { connectToLab } from './connect.ts';
import type { LabSupervisor } from './lab-supervisor.ts';
import type { LabState, WantedLab } from './state.ts';

/**
 * Adds an event to a lab that is up, at the end of its file as it was applied, and begins the runs anew with it. Answers
 * the lines of what was done. Throws UsageError when the event does not fit; the lab goes on as it was then.
 */
export async function addEventTo(
  supervisor: Pick<LabSupervisor, 'planned' | 'apply'> & { readonly wanted: WantedLab },
  eventJson: string,
  dryRun: boolean,
): Promise<string[]> {
  const { wanted } = supervisor;
  const text = withEvent(wanted.text, parseEvent(eventJson));
  const changed: WantedLab = { ...wanted, text, description: readLabFile(text, wanted.file, wanted.vars) };
  const actions = supervisor.planned(changed);
  if (!dryRun) await supervisor.apply(changed);
  return actions;
}

/** Checks an event as a command makes it. Throws UsageError that names the key. */
export function checkEvent(event: unknown): LabFileEvent {
  if (typeof event === 'object' && event !== null && !('at' in event)) throw new UsageError(NO_MOMENT);
  const parsed = labEventSchema.safeParse(event, { error: describeIssue });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new UsageError(`${path.join('.')}: ${message}`);
}

const NO_MOMENT =
  '--at is missing: this lab runs on the virtual clock, where a command takes effect at a stated moment, such as --at 5ms from the start of traffic';

function parseEvent(eventJson: string): LabFileEvent {
  try {
    return checkEvent(JSON.parse(eventJson));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`the event is no JSON: ${error.message}`);
  }
}

/** Adds an event to a lab that is up, from a command, and answers the lines of what was done. */
export async function addEvent(state: LabState, event: unknown, dryRun = false): Promise<string[]> {
  // what a lab on the real clock can do, and when, it says itself
  const eventJson = JSON.stringify(state.clock === 'real' ? event : checkEvent(event));
  const { client, close } = connectToLab(state);
  try {
    return (await client.addEvent({ eventJson, dryRun }, { timeoutMs: Number.POSITIVE_INFINITY })).actions;
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    throw error.code === 'INVALID_ARGUMENT'
      ? new UsageError(error.message)
      : new ServiceLostError(error.message);
  } finally {
    close();
  }
}
