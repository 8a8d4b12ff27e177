import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Frontend, type FrontendFigures, startFrontend, type Workload } from '@vhostlab/vhost-driver';
import type { TrafficSpec } from '@vhostlab/workload';
import { type ProgramCommand, startBackendProcess } from './backend-process.ts';
import { cpuSeconds, type Fidelity, FidelityWatch } from './fidelity.ts';
import type { RealOptions, RealWorkload } from './real-options.ts';

/** What one round found. Rates count frames that reached their end: the device for tx and pvp, a guest otherwise. */
export interface Round {
  readonly mpps: number;
  /** Of rr only, in microseconds. */
  readonly latencyUs: { readonly p50: number; readonly p99: number } | undefined;
  /** CPUs that the back end's process kept busy. */
  readonly backendCores: number;
  /** Kicks and calls per frame, as the guest saw them. */
  readonly kicksPerFrame: number;
  readonly callsPerFrame: number;
  readonly fidelity: Fidelity;
}

/** How a row's back end is run. */
export interface BackendWay {
  readonly mode: 'poll' | 'interrupt';
  /** Plugin in front of the switch, where it is not the one that the mode stands for. */
  readonly plugin?: string;
}

const SETTLE_MS = 300;
const LINE_BPS = 100e9;
const ENDLESS = 1e9;

/** Port of the back end that is the far end of a workload. */
function portOf(workload: RealWorkload, plugin: string | undefined, size: string): string {
  if (workload === 'tx') return 'drop';
  if (workload === 'v2v') return plugin === undefined ? 'switch' : `switch:plugin=${plugin}`;
  return workload === 'rr' ? 'echo' : `generate:size=${size}`;
}

function workloadOf(workload: RealWorkload, size: string): Workload {
  const traffic: TrafficSpec = {
    kind: 'udp',
    packets: ENDLESS,
    size,
    rate: 'unpaced',
    flows: 64,
    lineBps: LINE_BPS,
    seed: 1,
  };
  switch (workload) {
    case 'tx':
      return { kind: 'tx', traffic };
    case 'rx':
    case 'v2v':
      return { kind: 'rx' };
    case 'pvp':
      return { kind: 'forward' };
    case 'rr':
      return { kind: 'rr', traffic };
  }
}

/** Runs one workload once: back end in a process of its own, guests in worker threads of this one. */
export async function measureRound(
  workload: RealWorkload,
  way: BackendWay,
  options: RealOptions,
  program: ProgramCommand,
  signal: AbortSignal,
): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-real-'));
  const guests: Frontend[] = [];
  const sockets = (workload === 'v2v' ? ['0', '1'] : ['0']).map((name) => join(folder, name));
  const backend = await startBackendProcess(program, [
    ...sockets.flatMap((path) => ['--socket-path', path]),
    ...['--mode', way.mode, '--port', portOf(workload, way.plugin, options.size)],
    ...['--queues', `${options.queues}`, '--workers', workload === 'v2v' ? '1' : `${options.queues}`],
  ]);
  const start = async (socketPath: string, does: Workload): Promise<Frontend> => {
    const { queues, ring, ringSize: queueSize } = options;
    // the guest of a poll-mode back end polls, that of an interrupt-driven one sleeps
    const guest = await startFrontend({
      socketPath,
      queues,
      workers: queues,
      ring,
      queueSize,
      wait: way.mode,
      workload: does,
    });
    guests.push(guest);
    return guest;
  };
  try {
    const guest = await start(sockets[0] as string, workloadOf(workload, options.size));
    if (sockets[1] !== undefined) await start(sockets[1], workloadOf('tx', options.size));
    await pause(SETTLE_MS, signal);
    const cpuBefore = cpuSeconds(backend.pid);
    const watch = new FidelityWatch([process.pid, backend.pid]);
    const before = guest.figures();
    await pause(options.seconds * 1000, signal);
    const after = guest.figures();
    const fidelity = watch.end();
    const cpu = cpuSeconds(backend.pid) - cpuBefore;
    const { latency } = await guest.stop();
    return {
      ...ratesOf(workload, before, after),
      ...latencyOf(latency),
      ...coresOf(cpu, before, after),
      fidelity,
    };
  } finally {
    // a second stop answers what the first one did
    await Promise.all(guests.map((guest) => guest.stop()));
    await backend.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function ratesOf(workload: RealWorkload, before: FrontendFigures, after: FrontendFigures) {
  const seconds = (after.elapsedMs - before.elapsedMs) / 1000;
  const isReceived = workload === 'rx' || workload === 'rr' || workload === 'v2v';
  const frames = isReceived ? after.rx.packets - before.rx.packets : after.tx.completed - before.tx.completed;
  const kicks = after.tx.kicks + after.rx.kicks - before.tx.kicks - before.rx.kicks;
  const calls = after.tx.interrupts + after.rx.interrupts - before.tx.interrupts - before.rx.interrupts;
  const per = (count: number): number => (frames > 0 ? count / frames : 0);
  return { mpps: frames / seconds / 1e6, kicksPerFrame: per(kicks), callsPerFrame: per(calls) };
}

function latencyOf(latency: { p50Ns: number; p99Ns: number } | undefined) {
  return {
    latencyUs: latency === undefined ? undefined : { p50: latency.p50Ns / 1000, p99: latency.p99Ns / 1000 },
  };
}

function coresOf(cpu: number, before: FrontendFigures, after: FrontendFigures) {
  return { backendCores: cpu / ((after.elapsedMs - before.elapsedMs) / 1000) };
}

/** Waits; rejects when the user interrupts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(new DOMException('interrupted', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
