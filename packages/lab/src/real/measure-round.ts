import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Frontend, startFrontend, type Workload } from '@vhostlab/vhost-driver';
import { type ProgramCommand, startBackendProcess } from './backend-process.ts';
import { cpuSeconds, FidelityWatch } from './fidelity.ts';
import type { RealOptions, RealWorkload } from './real-options.ts';
import { coresOf, latencyOf, pause, type Round, ratesOf, SETTLE_MS, workloadOf } from './round.ts';

/** How a row's back end is run. */
export interface BackendWay {
  readonly mode: 'poll' | 'interrupt';
  /** Plugin in front of the switch, where it is not the one that the mode stands for. */
  readonly plugin?: string;
}

/** Port of the back end that is the far end of a workload. */
function portOf(workload: RealWorkload, plugin: string | undefined, size: string): string {
  if (workload === 'tx') return 'drop';
  if (workload === 'v2v') return plugin === undefined ? 'switch' : `switch:plugin=${plugin}`;
  return workload === 'rr' ? 'echo' : `generate:size=${size}`;
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
