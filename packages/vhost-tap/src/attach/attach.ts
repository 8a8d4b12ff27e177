import { processFacts, sleep } from '@vhostlab/host';
import { eventCounts, memoryHolders, pendingEvents } from './event-counts.ts';
import { queuesFromQmp } from './from-qmp.ts';
import { queuesFromRecord } from './from-record.ts';
import { ProcessWindows } from './process-windows.ts';
import type { QueueLook, QueueMoment } from './queue-look.ts';
import { waiting } from './queue-look.ts';
import { type QueuePlace, readQueue } from './queue-reader.ts';
import { AttachError, type FoundQueue } from './queue-source.ts';
import { judge, type Verdict } from './verdict.ts';

/** The shortest and the longest time between the two looks. */
export const MIN_INTERVAL_MS = 1;
export const MAX_INTERVAL_MS = 60_000;
/** Longer than a correct peer, on a machine that others use too, leaves work lying. */
export const DEFAULT_INTERVAL_MS = 500;

export interface AttachOptions {
  /** Process that has the rings' memory: front end, back end or tap. With `qmp`: QEMU. */
  readonly pid: number;
  /** QMP socket of a QEMU. */
  readonly qmp?: string;
  /** Folder of a tap between the peers. */
  readonly record?: string;
  /** Time between the two looks, MIN_INTERVAL_MS to MAX_INTERVAL_MS. */
  readonly intervalMs: number;
  /** How long QEMU may take for an answer. */
  readonly qmpTimeoutMs?: number;
}

/** One queue as it was found. */
export interface QueueReport extends QueueLook {
  /** QEMU's path of the device, or `session 1` of a record. */
  readonly device: string;
  /** Buffers that the back end has and has not used; packed: descriptors. */
  readonly waiting: number;
  readonly verdict: Verdict;
}

/** A process that has the memory of the rings mapped. */
export interface MemoryHolder {
  readonly pid: number;
  /** Of its program. */
  readonly name: string;
}

export interface AttachReport {
  readonly pid: number;
  readonly intervalMs: number;
  readonly processes: readonly MemoryHolder[];
  readonly queues: readonly QueueReport[];
  /** How many queues are not healthy. */
  readonly sick: number;
}

/** One sentence about what is wrong with the options, or null. */
export function checkAttachOptions({ pid, qmp, record, intervalMs }: AttachOptions): string | null {
  if (!(Number.isInteger(pid) && pid > 0)) return `--pid ${pid} is not the number of a process.`;
  if (qmp === undefined && record === undefined) {
    return 'where the rings are is known to QEMU (--qmp SOCKET) or to a tap between the peers (--record DIR); name one.';
  }
  if (!(intervalMs >= MIN_INTERVAL_MS && intervalMs <= MAX_INTERVAL_MS)) {
    return `--interval ${intervalMs} is not between ${MIN_INTERVAL_MS} and ${MAX_INTERVAL_MS} ms.`;
  }
  return null;
}

/**
 * Looks at the rings of a running process twice and judges each queue. Touches nothing: memory is mapped for reading,
 * eventfds are counted through `/proc` and not read, no message is sent. Throws an AttachError or a RecordError.
 */
export async function attach(options: AttachOptions): Promise<AttachReport> {
  const problem = checkAttachOptions(options);
  if (problem !== null) throw new AttachError(problem);
  const { pid, intervalMs } = options;
  const found = await findQueues(options);
  const holders = memoryHolders(new Set(found.flatMap(inodes)));
  const windows = new ProcessWindows(pid);
  try {
    const places = found.map((queue) => windows.place(queue));
    const first = lookAll(windows, places, found, holders);
    await sleep(intervalMs);
    const second = lookAll(windows, places, found, holders);
    const queues = found.map((queue, at) => report(queue, first[at]!, second[at]!));
    const sick = queues.filter(({ verdict }) => verdict.kind !== 'healthy').length;
    return { pid, intervalMs, processes: named(holders), queues, sick };
  } finally {
    windows.close();
  }
}

/** Where the rings are; with both sources QEMU tells that, and the tap which eventfds are theirs. */
async function findQueues({ pid, qmp, record, qmpTimeoutMs }: AttachOptions): Promise<FoundQueue[]> {
  const recorded = record === undefined ? [] : queuesFromRecord(record);
  if (qmp === undefined) return recorded;
  const found = await queuesFromQmp(pid, qmp, qmpTimeoutMs);
  return found.map((queue) => {
    const known = recorded.find((each) => isSameRing(each, queue));
    if (known === undefined) return queue;
    const { events, isEnabled, tamperedKick, tamperedCall } = known;
    return { ...queue, events, isEnabled, tamperedKick, tamperedCall };
  });
}

function isSameRing(a: FoundQueue, b: FoundQueue): boolean {
  return a.descArea.inode === b.descArea.inode && a.descArea.fileOffset === b.descArea.fileOffset;
}

function inodes({ descArea, driverArea, deviceArea }: FoundQueue): number[] {
  return [descArea.inode, driverArea.inode, deviceArea.inode];
}

/** Eventfds are counted before the rings are read: what then still waits had no signal under way. */
function lookAll(
  { arena }: ProcessWindows,
  places: readonly QueuePlace[],
  found: readonly FoundQueue[],
  holders: readonly number[],
): QueueMoment[] {
  const counts = eventCounts(holders);
  return places.map((place, at) => {
    return { ...readQueue(arena, place), ...pendingEvents(found[at]!.events, counts) };
  });
}

function report(queue: FoundQueue, first: QueueMoment, second: QueueMoment): QueueReport {
  const { device, format, size, hasEvents, isEnabled, tamperedKick, tamperedCall } = queue;
  const look: QueueLook = {
    queue: queue.queue,
    direction: queue.queue % 2 === 0 ? 'rx' : 'tx',
    format,
    size,
    hasEvents,
    isEnabled,
    first,
    second,
    tamperedKick,
    tamperedCall,
  };
  return { device, ...look, waiting: waiting(look), verdict: judge(look) };
}

function named(pids: readonly number[]): MemoryHolder[] {
  return pids
    .filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, name: processFacts(pid)?.name ?? '' }));
}
