import {
  type BidiStream,
  type Client,
  ContractError,
  type MessageInitShape,
  type MessageShape,
  runtimeV1,
  toUint64,
} from '@vhostlab/contracts';
import { type RunPlan, TimeBounds } from '@vhostlab/engine';
import type { Progress } from './process-runtime.ts';
import { RunMeter } from './run-meter.ts';

/** A process that takes part in a run. */
export interface ProcessHandle {
  /** Names of its services joined with `+`. */
  name: string;
  services: readonly string[];
  /** Where its LinkService is; undefined for the embedded process. */
  address?: string;
  runtime: Client<typeof runtimeV1.RuntimeService>;
}

/** What crossed a channel between two processes, both directions together. */
export interface ChannelTraffic {
  channel: string;
  batches: number;
  messages: number;
  payloadBytes: number;
}

type RunStream = BidiStream<
  MessageInitShape<typeof runtimeV1.RunRequestSchema>,
  MessageShape<typeof runtimeV1.RunResponseSchema>
>;

interface Member {
  handle: ProcessHandle;
  stream: RunStream;
  /** Moment of its next event as far as the lab knows. */
  nextPs: number;
  /** Batches that were sent to it so far, by channel. */
  inbound: Map<number, number>;
  /** Channels on which it was sent more since its last window. */
  news: Set<number>;
  window: number;
  progress: Progress;
  /** Batches that it has sent so far, on all channels. */
  sent: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** The last moment that virtual time has. */
const END_PS = Number.MAX_SAFE_INTEGER;
/**
 * Every so many rounds, and after so long, all processes answer, those with nothing to do too: a process that is stopped
 * holds virtual time whatever its part, and slow rounds tell of their progress. In the rounds between, a process that has
 * nothing to do is not asked.
 */
const EVERYBODY_ROUNDS = 16;
const EVERYBODY_MS = 250;

/**
 * Drives the processes of a prepared run until nothing is left to do. In every round each process that has something to
 * do gets the bound up to which nothing can reach it (TimeBounds); messages go from process to process, the lab only
 * counts them. Resolves with what was measured on the way; throws naming the process that failed.
 */
export async function coordinate(
  plan: RunPlan,
  handles: readonly ProcessHandle[],
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<RunMeter> {
  const processOf = (service: string): string => {
    const handle = handles.find(({ services }) => services.includes(service));
    if (handle === undefined) throw new Error(`no process runs service ${service}`);
    return handle.name;
  };
  const bounds = new TimeBounds(plan, processOf);
  const coreProcess = new Map(plan.cores.map(({ id, service }) => [id, processOf(service)]));
  const members = bounds.processes.map((name): Member => {
    const handle = handles.find((candidate) => candidate.name === name) as ProcessHandle;
    const options = { timeoutMs: NEVER, ...(signal === undefined ? {} : { signal }) };
    return {
      handle,
      stream: handle.runtime.run(options),
      nextPs: 0,
      inbound: new Map(),
      news: new Set(),
      window: 0,
      progress: { delivered: 0, reachedPs: 0 },
      sent: 0,
    };
  });
  const indexOf = new Map(members.map(({ handle }, i) => [handle.name, i]));
  /** Receiver of what each process sends on each channel. */
  const receivers = members.map((member) =>
    plan.channels.map(({ a, b }) => {
      const ends = [a.core, b.core].map((core) => coreProcess.get(core));
      return members[indexOf.get(ends.find((name) => name !== member.handle.name) as string) ?? 0];
    }),
  );
  /** Moment of the first message that a process has not taken yet. */
  const arrivals = new Map<Member, number>();
  const settle = (i: number, report: MessageShape<typeof runtimeV1.ReportSchema>): void => {
    const member = members[i];
    member.nextPs = report.nextEventPs === undefined ? NEVER : Number(report.nextEventPs);
    member.progress = { delivered: Number(report.packetsDone), reachedPs: Number(report.nowPs) };
    const earliest = report.earliestOutboundPs === undefined ? NEVER : Number(report.earliestOutboundPs);
    member.sent = 0;
    for (const { channel, batches } of report.outbound) {
      const count = Number(batches);
      member.sent += count;
      const receiver = receivers[i][channel];
      if ((receiver.inbound.get(channel) ?? 0) >= count) continue;
      receiver.inbound.set(channel, count);
      receiver.news.add(channel);
      arrivals.set(receiver, Math.min(arrivals.get(receiver) ?? NEVER, earliest));
    }
  };
  try {
    const first = await Promise.all(members.map(nextReport));
    first.forEach((report, i) => {
      settle(i, report);
    });
    const meter = new RunMeter(plan, bounds, processOf);
    let everybodyAtMs = performance.now();
    for (let round = 1; ; round++) {
      const next = members.map((member) => Math.min(member.nextPs, arrivals.get(member) ?? NEVER));
      const earliest = Math.min(...next);
      if (earliest === NEVER) {
        await Promise.all(members.map(finish));
        return meter;
      }
      meter.begin(earliest);
      const nowMs = performance.now();
      const isEverybody = round % EVERYBODY_ROUNDS === 0 || nowMs - everybodyAtMs >= EVERYBODY_MS;
      const until = members.map((_, i) => Math.min(bounds.bound(i, next), END_PS));
      const asked = [...members.keys()].filter((i) => isEverybody || next[i] < until[i]);
      const before = asked.map((i) => ({ took: members[i].news.size > 0, sent: members[i].sent }));
      for (const i of asked) arrivals.delete(members[i]);
      // what works in this process would keep the grants of the others from leaving it
      const isHere = (i: number): boolean => members[i].handle.address === undefined;
      const away = asked.map((i) => (isHere(i) ? undefined : window(members[i], until[i])));
      if (away.some((report) => report !== undefined) && asked.some(isHere)) await turnOfEventLoop();
      const reports = await Promise.all(asked.map((i, n) => away[n] ?? window(members[i], until[i])));
      asked.forEach((i, n) => {
        const report = reports[n];
        settle(i, report);
        const counts = {
          taskRuns: Number(report.taskRuns),
          workNs: Number(report.workNs),
          blockedNs: Number(report.blockedNs),
        };
        const { took, sent } = before[n];
        meter.window(i, counts, took, members[i].sent > sent, Number(report.nowPs));
      });
      meter.end();
      if (asked.length < members.length) continue;
      everybodyAtMs = nowMs;
      onProgress?.({
        delivered: members.reduce((sum, { progress }) => sum + progress.delivered, 0),
        reachedPs: Math.max(...members.map(({ progress }) => progress.reachedPs)),
      });
    }
  } catch (error) {
    for (const { stream } of members) stream.cancel();
    throw error;
  }
}

/** Lets what was written leave for its socket. */
function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Ends a process's part of the run and waits until it has. */
async function finish({ stream }: Member): Promise<void> {
  await stream.send({ command: { case: 'finish', value: { abortReason: '' } } });
  stream.closeSend();
  while ((await stream.receive()) !== undefined);
}

/** One window of a process: its bound and what it must have taken before, then its report. */
async function window(member: Member, untilPs: number): Promise<MessageShape<typeof runtimeV1.ReportSchema>> {
  member.window++;
  const inbound = [...member.news].map((channel) => ({
    channel,
    batches: BigInt(member.inbound.get(channel) as number),
  }));
  member.news.clear();
  await member.stream.send({
    command: {
      case: 'grant',
      value: { window: BigInt(member.window), untilPs: toUint64(untilPs), inbound },
    },
  });
  return nextReport(member);
}

async function nextReport(member: Member): Promise<MessageShape<typeof runtimeV1.ReportSchema>> {
  let response: MessageShape<typeof runtimeV1.RunResponseSchema> | undefined;
  try {
    response = await member.stream.receive();
  } catch (error) {
    if (error instanceof ContractError && error.code === 'CANCELLED') throw error;
    throw new ContractError('UNAVAILABLE', `service ${member.handle.name} was lost during the run`, {
      cause: error,
    });
  }
  const report = response?.report;
  if (report === undefined) {
    throw new ContractError('UNAVAILABLE', `service ${member.handle.name} ended its part of the run`);
  }
  if (report.state === runtimeV1.RunState.FAULT) {
    throw new ContractError('ABORTED', `service ${member.handle.name} failed: ${report.fault}`);
  }
  return report;
}
