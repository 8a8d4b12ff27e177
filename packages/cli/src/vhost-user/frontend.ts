import type { Frontend, FrontendEvent, FrontendResult } from '@vhostlab/vhost-driver';
import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import { addFrontendFlags, captureFile, type FrontendFlags, frontendOptions } from '../frontend-flags.ts';
import { finalText, progressLine } from '../frontend-table.ts';
import type { Io } from '../io.ts';

export const examples = [
  [
    'vhostlab vhost-user frontend --socket-path /tmp/vu.sock --workload verify --packets 1000000',
    'our guest against any back end that sends frames back; every frame is checked',
  ],
] as const;

/** Adds `vhostlab vhost-user frontend`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('frontend')
    .description(
      'be a guest with a virtio-net driver at a vhost-user back end, until its workload is done or SIGINT',
    );
  addFrontendFlags(command)
    .addHelpText(
      'after',
      '\nExample:\n  vhostlab vhost-user frontend --socket-path /tmp/vu.sock --workload rr --wait interrupt --duration 10',
    )
    .action((flags: FrontendFlags) => run(io, flags));
}

async function run(io: Io, flags: FrontendFlags): Promise<void> {
  const [driver, { parseFrameSizes, parseRate }] = await Promise.all([
    import('@vhostlab/vhost-driver'),
    import('@vhostlab/workload'),
  ]);
  const capture = await readCapture(flags);
  const options = frontendOptions(flags, capture);
  asOperator('--size', () => parseFrameSizes(flags.size));
  if (flags.rate !== undefined) asOperator('--rate', () => parseRate(flags.rate as string, 1));
  const signal = io.interruptible();
  const frontend = await driver.startFrontend({
    ...options,
    onEvent: (event) => io.err(`${eventLine(event)}\n`),
  });
  const why = await untilEnd(io, frontend, flags.duration, signal);
  const result = await frontend.stop();
  if (flags.json === true) io.out(`${JSON.stringify(jsonOf(result, why), null, 2)}\n`);
  else io.out(finalText(result));
  judge(driver.FrontendError, result, why, signal, flags);
}

/** Why a run ended. */
type Ending = {
  readonly why: 'done' | 'lost' | 'failed' | 'duration' | 'interrupted';
  readonly text: string;
};

/** Prints a line each second until the workload, the duration or the operator ends the run. */
async function untilEnd(
  io: Io,
  frontend: Frontend,
  durationS: number | undefined,
  signal: AbortSignal,
): Promise<Ending> {
  let before = frontend.figures();
  const lines = setInterval(() => {
    const now = frontend.figures();
    io.err(`${progressLine(now, before)}\n`);
    before = now;
  }, 1000);
  let limit: NodeJS.Timeout | undefined;
  const duration = new Promise<Ending>((resolve) => {
    if (durationS === undefined) return;
    limit = setTimeout(() => resolve({ why: 'duration', text: 'the time is over' }), durationS * 1000);
  });
  const interrupted = new Promise<Ending>((resolve) => {
    const ending: Ending = { why: 'interrupted', text: 'interrupted' };
    if (signal.aborted) resolve(ending);
    else signal.addEventListener('abort', () => resolve(ending), { once: true });
  });
  try {
    return await Promise.race([frontend.ended, duration, interrupted]);
  } finally {
    clearInterval(lines);
    clearTimeout(limit);
  }
}

/** Throws when the run is no success: it then ends with status 1, or 130 when it was cut short. */
function judge(
  FrontendError: typeof import('@vhostlab/vhost-driver')['FrontendError'],
  result: FrontendResult,
  ending: Ending,
  signal: AbortSignal,
  flags: FrontendFlags,
): void {
  const { verified, figures, isCaptureComplete } = result;
  if (verified !== undefined && verified.corrupted > 0) {
    throw new FrontendError(`${verified.corrupted} frames came back corrupted.`, 1);
  }
  const broken = figures.queues.filter((queue) => queue.broken > 0).map(({ index }) => index);
  if (broken.length > 0) throw new FrontendError(`the back end broke the rings ${broken.join(', ')}.`, 1);
  if (ending.why === 'lost' || ending.why === 'failed') throw new FrontendError(`${ending.text}.`, 1);
  if (!isCaptureComplete) throw new FrontendError(`${flags.writePcap} could not be written to its end.`, 1);
  const hasLimit = flags.packets !== undefined || flags.duration !== undefined;
  if (ending.why === 'interrupted' && hasLimit) signal.throwIfAborted();
}

function jsonOf(result: FrontendResult, ending: Ending): object {
  const { figures, latency, verified, stoppedAt, undelivered } = result;
  return {
    clock: 'real',
    ended: ending.why,
    seconds: figures.elapsedMs / 1000,
    connections: figures.connections,
    rx: figures.rx,
    tx: figures.tx,
    queues: figures.queues,
    undelivered,
    ...(stoppedAt.length === 0 ? {} : { stopped_at: stoppedAt }),
    ...(latency === undefined ? {} : { latency }),
    ...(verified === undefined ? {} : { verified }),
  };
}

function eventLine(event: FrontendEvent): string {
  switch (event.kind) {
    case 'warning':
      return `vhostlab: ${event.text}`;
    case 'listening':
      return `vhostlab front end listens at ${event.path}`;
    case 'started':
      return `back end ${event.connection}: rings run with ${event.features}`;
    case 'refused':
      return `back end refused: ${event.reason}`;
    case 'lost':
      return `back end lost: ${event.reason}`;
    case 'broken':
      return `ring ${event.queue} is broken by the back end: ${event.violation}`;
    case 'restarting':
      return `rings go on: ${event.rings
        .map(
          ({ index, base, replayed, reset }) =>
            `${index} ${reset ? 'cleared' : `at ${base}`}, ${replayed} buffers offered again`,
        )
        .join('; ')}`;
  }
}

async function readCapture(flags: FrontendFlags): Promise<Uint8Array | undefined> {
  const file = captureFile(flags);
  if (file === undefined) return undefined;
  const { readFile } = await import('node:fs/promises');
  try {
    return await readFile(file);
  } catch (error) {
    throw new OperatorError(`cannot read the capture: ${(error as Error).message}.`);
  }
}

function asOperator(flag: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    throw error instanceof RangeError ? new OperatorError(`${flag}: ${error.message}`) : error;
  }
}
