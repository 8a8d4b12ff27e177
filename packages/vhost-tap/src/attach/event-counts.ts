import { processDescriptors, processIds, sharesFile } from '@vhostlab/host';
import type { EventIds } from './queue-source.ts';

const EVENTFD = 'anon_inode:[eventfd]';

/** Signals that wait in eventfds; null: not known. */
export interface PendingEvents {
  readonly kickPending: number | null;
  readonly callPending: number | null;
}

/** An eventfd of one or more processes. */
export interface EventCount {
  /** What every process that has it calls it. */
  readonly id: string;
  readonly count: number;
  readonly holders: readonly number[];
}

/** Every process that has some of these files mapped: front end, back end, and taps between them. */
export function memoryHolders(inodes: ReadonlySet<number>): number[] {
  return processIds().filter((pid) => sharesFile(pid, inodes));
}

/** Eventfds of some processes as `/proc` shows them, by identity. Reads none of them, so that every signal stays. */
export function eventCounts(pids: readonly number[]): Map<string, EventCount> {
  const counts = new Map<string, EventCount & { holders: number[] }>();
  for (const pid of pids) {
    for (const { target, info } of processDescriptors(pid) ?? []) {
      const id = info.get('eventfd-id')?.trim();
      if (target !== EVENTFD || id === undefined) continue;
      const known = counts.get(id);
      if (known === undefined) {
        const count = Number.parseInt(info.get('eventfd-count') ?? '0', 16);
        counts.set(id, { id, count, holders: [pid] });
      } else if (!known.holders.includes(pid)) known.holders.push(pid);
    }
  }
  return counts;
}

/** Eventfds that two processes have: kicks, calls and errors are among them. */
export function sharedEvents(counts: ReadonlyMap<string, EventCount>): EventCount[] {
  return [...counts.values()].filter(({ holders }) => holders.length > 1);
}

/**
 * What waits for one ring. With its eventfds known: their counts. Else only a common zero says something: when nothing
 * waits in any eventfd that two of the processes share, nothing waits for this ring.
 */
export function pendingEvents(ids: EventIds | null, counts: ReadonlyMap<string, EventCount>): PendingEvents {
  if (ids !== null) return { kickPending: sum(ids.kick, counts), callPending: sum(ids.call, counts) };
  const shared = sharedEvents(counts);
  const quiet = shared.length > 0 && shared.every(({ count }) => count === 0) ? 0 : null;
  return { kickPending: quiet, callPending: quiet };
}

/** Null unless every one of them can be seen. */
function sum(ids: readonly string[], counts: ReadonlyMap<string, EventCount>): number | null {
  if (ids.length === 0) return null;
  let total = 0;
  for (const id of ids) {
    const event = counts.get(id);
    if (event === undefined) return null;
    total += event.count;
  }
  return total;
}
