import { fileURLToPath } from 'node:url';
import { type PeerCommand, PeerProcess } from './process.ts';

const VHOSTLAB = fileURLToPath(new URL('../../packages/cli/bin/vhostlab.mjs', import.meta.url));

/** Our own back end as a process, the way an operator starts it. */
export interface VhostlabBackendOptions {
  /** One device for each. */
  readonly socketPath: string | readonly string[];
  /** As `--port` has it. */
  readonly port: string;
  /** Connects to the sockets; listens on them by default. */
  readonly client?: boolean;
  readonly queues?: number;
  readonly mode?: 'poll' | 'interrupt' | 'adaptive';
  readonly network?: PeerCommand['network'];
  /** More options of the command. */
  readonly extra?: readonly string[];
  /** A module that every thread of it loads first: how a test breaks it on purpose. */
  readonly preload?: string;
}

/** Starts a command of `vhostlab` in a process of its own. */
export function vhostlab(
  name: string,
  args: readonly string[],
  options: Pick<VhostlabBackendOptions, 'network' | 'preload'> = {},
): Promise<PeerProcess> {
  const { network, preload } = options;
  return PeerProcess.start({
    name,
    program: process.execPath,
    args: [...(preload === undefined ? [] : ['--import', preload]), VHOSTLAB, ...args],
    ...(network === undefined ? {} : { network }),
  });
}

/** Starts `vhostlab vhost-user backend`, in interrupt mode by default. Ready once it listens, or has begun to connect. */
export async function vhostlabBackend(options: VhostlabBackendOptions): Promise<PeerProcess> {
  const paths = typeof options.socketPath === 'string' ? [options.socketPath] : options.socketPath;
  const backend = await vhostlab(
    'vhostlab backend',
    [
      'vhost-user',
      'backend',
      ...paths.flatMap((path) => ['--socket-path', path]),
      '--port',
      options.port,
      '--mode',
      options.mode ?? 'interrupt',
      '--queues',
      String(options.queues ?? 1),
      ...(options.client === true ? ['--client'] : []),
      ...(options.extra ?? []),
    ],
    options,
  );
  if (options.client === true) return backend;
  try {
    for (const path of paths) await backend.waitForSocket(path);
  } catch (error) {
    await backend.stop();
    throw error;
  }
  return backend;
}

/** Counters of one queue of our back end, as far as tests of peers read them. */
export interface QueueStatistics {
  readonly device: number;
  /** As the rings are numbered: 0 is the guest's first RX, 1 its first TX. */
  readonly queue: number;
  readonly frames: number;
  readonly bytes: number;
  readonly kicks: number;
  readonly calls: number;
  /** Faults of the driver that broke the ring. */
  readonly violations: number;
}

/** What a back end that was started with `--json` and has ended printed about its queues. */
export function finalStatistics(backend: PeerProcess): QueueStatistics[] {
  const json = backend
    .output()
    .split('\n')
    .findLast((line) => line.startsWith('{'));
  if (json === undefined) throw backend.error('it printed no statistics');
  return (JSON.parse(json) as { queues: QueueStatistics[] }).queues;
}
