import type { Message } from '@vhostlab/vhost-user';
import type { Step } from './steps.ts';

/** Messages after which a tap looks at rings for the last time. */
const STOPPERS = new Set([
  'GET_VRING_BASE',
  'SET_MEM_TABLE',
  'REM_MEM_REG',
  'SET_STATUS',
  'RESET_OWNER',
  'RESET_DEVICE',
]);

/** True when rings may have to stop for the message. */
export function stopsRings({ name, payload }: Message): boolean {
  if (!STOPPERS.has(name)) return false;
  return name !== 'SET_STATUS' || (payload?.kind === 'u64' && payload.value === 0n);
}

/**
 * A tap writes a message down before it looks at what the front end had done until then. This puts the ring's lines in
 * front of the message: what was offered before a ring starts, and what was offered before it stops.
 */
export function inOrderOfEffect(steps: readonly Step[]): Step[] {
  const ordered: Step[] = [];
  const done = new Set<Step>();
  steps.forEach((step, at) => {
    if (done.has(step)) return;
    if (step.kind === 'message') {
      const before = [...startOf(steps, at), ...stopOf(steps, at)];
      for (const each of before) {
        done.add(each);
        ordered.push(each);
      }
    }
    ordered.push(step);
  });
  return ordered;
}

/** The start of the ring that SET_VRING_KICK brings about, with what the first look has shown. */
function startOf(steps: readonly Step[], at: number): Step[] {
  const step = steps[at];
  if (step?.kind !== 'message' || step.message.name !== 'SET_VRING_KICK') return [];
  const { payload } = step.message;
  const start = steps[at + 1];
  if (payload?.kind !== 'vring-fd' || start?.kind !== 'ring-start') return [];
  if (start.queue !== payload.index || start.base === null) return [];
  const found: Step[] = [start];
  const first = steps[at + 2];
  for (let i = at + 2; i < steps.length; i++) {
    const next = steps[i]!;
    const isFirstLook = next.kind === 'words' || next.kind === 'offer' || next.kind === 'progress';
    if (!isFirstLook || next.queue !== start.queue || next.t !== first?.t) break;
    found.push(next);
  }
  return found;
}

/** What the last look at each ring has shown, without the stops themselves. */
function stopOf(steps: readonly Step[], at: number): Step[] {
  const step = steps[at];
  if (step?.kind !== 'message' || !stopsRings(step.message)) return [];
  const { name, payload } = step.message;
  const only = name === 'GET_VRING_BASE' && payload?.kind === 'state' ? payload.index : null;
  let end = at + 1;
  while (end < steps.length && steps[end]!.kind !== 'message') end++;
  const found: Step[] = [];
  const pending: Step[] = [];
  for (const next of steps.slice(at + 1, end)) {
    if (next.kind === 'message' || next.kind === 'ring-start') break;
    if (only !== null && next.queue !== only) continue;
    if (next.kind !== 'ring-stop') pending.push(next);
    else {
      for (const each of pending) {
        if (each.kind !== 'message' && each.queue === next.queue) found.push(each);
      }
    }
  }
  return found;
}
