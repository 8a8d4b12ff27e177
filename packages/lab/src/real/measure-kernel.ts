import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { type Fd, openPacketSocket, Thread } from '@vhostlab/host';
import { type Frontend, startFrontend } from '@vhostlab/vhost-driver';
import { createSource } from '@vhostlab/workload';
import { FidelityWatch } from './fidelity.ts';
import type { RealOptions } from './real-options.ts';
import { coresOf, latencyOf, pause, type Round, ratesOf, SETTLE_MS, trafficOf, workloadOf } from './round.ts';
import type { TapSenderPlan } from './tap-sender.ts';

/** Frames that the sender at the tap sends in turn. */
const FRAMES = 256;
const LOOK_MS = 10;

/** Name of the tap interface that the measurements of this process make. */
export function measuredTap(): string {
  return `vhostlab${process.pid % 1_000_000}`;
}

/**
 * Runs one workload once over /dev/vhost-net: the guest in worker threads of this process, its memory and rings with the
 * kernel, a tap at the other side. `tx` ends in this machine's network stack, which drops the frames; those of `rx` come
 * from a thread with a raw socket, which may be slower than what it feeds. The back end's CPUs are the kernel's threads.
 */
export async function measureKernelRound(
  workload: 'tx' | 'rx',
  options: Pick<RealOptions, 'queues' | 'ringSize' | 'seconds' | 'size'>,
  signal: AbortSignal,
): Promise<Round> {
  const { queues, ringSize: queueSize, seconds, size } = options;
  const tap = measuredTap();
  const guest = await startFrontend({
    vhostNet: tap,
    queues,
    workers: queues,
    queueSize,
    wait: 'interrupt',
    workload: workloadOf(workload, size),
  });
  let socket: Fd | undefined;
  let sender: Thread | undefined;
  try {
    if (workload === 'rx') {
      socket = openPacketSocket(tap);
      sender = startSender({ socketNumber: socket.number, frames: framesOf(size) });
      await arrival(guest, sender, signal);
    }
    await pause(SETTLE_MS, signal);
    const cpuBefore = kernelCpuSeconds();
    const watch = new FidelityWatch([process.pid]);
    const before = guest.figures();
    await pause(seconds * 1000, signal);
    const after = guest.figures();
    const fidelity = watch.end();
    const cpu = kernelCpuSeconds() - cpuBefore;
    return {
      ...ratesOf(workload, before, after),
      ...latencyOf(undefined),
      ...coresOf(cpu, before, after),
      fidelity,
    };
  } finally {
    await sender?.stop();
    socket?.close();
    await guest.stop();
  }
}

/** Waits until frames come: a thread takes its time to start. Throws when it has ended. */
async function arrival(guest: Frontend, sender: Thread, signal: AbortSignal): Promise<void> {
  let end: { error: Error | undefined } | undefined;
  void sender.ended.then((error) => {
    end = { error };
  });
  while (guest.figures().rx.packets === 0) {
    await pause(LOOK_MS, signal);
    if (end !== undefined) throw end.error ?? new Error('the sender at the tap has ended');
  }
}

function startSender(plan: TapSenderPlan): Thread {
  const module = new URL(`./tap-sender${extname(import.meta.filename)}`, import.meta.url);
  return new Thread(module, plan, 'tap-sender');
}

function framesOf(size: string): Uint8Array[] {
  const source = createSource({ ...trafficOf(size), packets: FRAMES });
  const room = new Uint8Array(source.maxLength);
  const frames: Uint8Array[] = [];
  while (source.next()) frames.push(room.slice(0, source.write(room, 0)));
  return frames;
}

/**
 * CPU seconds of the kernel's threads that serve this process. They are named `vhost-PID`: threads of their own until Linux
 * 6.3, threads of this process since.
 */
function kernelCpuSeconds(): number {
  const name = `vhost-${process.pid}`;
  let sum = 0;
  for (const owner of new Set([
    ...entries('/proc').filter((entry) => /^\d+$/.test(entry)),
    `${process.pid}`,
  ])) {
    if (owner !== `${process.pid}` && read(`/proc/${owner}/comm`).trim() !== name) continue;
    for (const thread of entries(`/proc/${owner}/task`)) {
      const folder = `/proc/${owner}/task/${thread}`;
      if (read(`${folder}/comm`).trim() === name) sum += secondsOf(read(`${folder}/stat`));
    }
  }
  return sum;
}

/** User and system time of a stat file, whose clock ticks 100 times a second. */
function secondsOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
