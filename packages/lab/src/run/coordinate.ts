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
}

const NEVER = Number.POSITIVE_INFINITY;
/** The last moment that virtual time has. */
const END_PS = Number.MAX_SAFE_INTEGER;

/**
 * Drives the processes of a prepared run until nothing is left to do. In every round each process gets the
 * bound up to which nothing can reach it (TimeBounds); messages go from process to process, the lab only
 * counts them. Resolves with the number of rounds; throws naming the process that failed.
 */
export async function coordinate(
  plan: RunPlan,
  handles: readonly ProcessHandle[],
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<number> {
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
    };
  });
  const byName = new Map(members.map((member) => [member.handle.name, member]));
  const settle = (member: Member, report: MessageShape<typeof runtimeV1.ReportSchema>): void => {
    member.nextPs = report.nextEventPs === undefined ? NEVER : Number(report.nextEventPs);
    member.progress = { delivered: Number(report.packetsDone), reachedPs: Number(report.nowPs) };
    const earliest = report.earliestOutboundPs === undefined ? NEVER : Number(report.earliestOutboundPs);
    for (const { channel, batches } of report.outbound) {
      const { a, b } = plan.channels[channel];
      const other = [a.core, b.core]
        .map((core) => coreProcess.get(core))
        .find((name) => name !== member.handle.name);
      const receiver = byName.get(other as string) as Member;
      if ((receiver.inbound.get(channel) ?? 0) >= Number(batches)) continue;
      receiver.inbound.set(channel, Number(batches));
      receiver.news.add(channel);
      arrivals.set(receiver, Math.min(arrivals.get(receiver) ?? NEVER, earliest));
    }
  };
  /** Moment of the first message that a process has not taken yet. */
  const arrivals = new Map<Member, number>();
  try {
    await Promise.all(members.map(async (member) => settle(member, await nextReport(member))));
    for (let round = 1; ; round++) {
      const next = members.map((member) => Math.min(member.nextPs, arrivals.get(member) ?? NEVER));
      if (next.every((at) => at === NEVER)) {
        await Promise.all(members.map(finish));
        return round - 1;
      }
      arrivals.clear();
      // those with nothing to do answer too: a process that is stopped holds virtual time whatever its part
      const reports = await Promise.all(
        members.map((member, i) => window(member, Math.min(bounds.bound(i, next), END_PS))),
      );
      members.forEach((member, i) => {
        settle(member, reports[i]);
      });
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
