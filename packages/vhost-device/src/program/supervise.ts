import { type Child, type ChildExit, monotonicNs, sleep, startChild, within } from '@vhostlab/host';

export interface SuperviseOptions {
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Descriptors that the device process inherits as 3, 4, …. */
  fds: readonly number[];
  /** Says in one line what happened. */
  log(line: string): void;
  /** Aborted: the device process is asked to end (SIGTERM), and is not started again. */
  signal: AbortSignal;
}

/** Deaths in a row, each within QUICK_NS of the start, after which a restart makes no sense. */
const MAX_QUICK_DEATHS = 5;
const QUICK_NS = 2e9;
const FIRST_DELAY_MS = 50;
const GRACE_MS = 5000;

/**
 * Runs the process that maps memory of peers, and runs it again when a signal kills it: a peer that truncates a file
 * under a mapping raises SIGBUS, which no JavaScript survives. Resolves with the exit status to end with: that of a
 * device process that ended by itself, 3 when it keeps dying.
 */
export async function supervise(options: SuperviseOptions): Promise<number> {
  let quickDeaths = 0;
  for (;;) {
    const startedNs = monotonicNs();
    const child = await startChild(options.command, options.args, { env: options.env, fds: options.fds });
    const end = await untilEnd(child, options.signal);
    if (options.signal.aborted) return end.code ?? 0;
    if (end.code !== null) return end.code;
    quickDeaths = monotonicNs() - startedNs < QUICK_NS ? quickDeaths + 1 : 0;
    if (quickDeaths === MAX_QUICK_DEATHS) {
      options.log(`the device process died of ${end.signal} ${MAX_QUICK_DEATHS} times in a row: giving up`);
      return 3;
    }
    options.log(
      `the device process ${child.pid} died of ${end.signal}${reason(end.signal)}: starting it again`,
    );
    await sleep(FIRST_DELAY_MS * 2 ** quickDeaths);
  }
}

async function untilEnd(child: Child, signal: AbortSignal): Promise<ChildExit> {
  let stop = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => {
      child.kill('SIGTERM');
      resolve(undefined);
    };
  });
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const first = await Promise.race([child.exited, aborted]);
  signal.removeEventListener('abort', stop);
  const end = first ?? (await within(child.exited, GRACE_MS));
  if (end !== undefined) return end;
  child.kill('SIGKILL');
  return child.exited;
}

function reason(signal: string | null): string {
  if (signal === 'SIGBUS') return ' (a peer truncated a file that is mapped)';
  if (signal === 'SIGSEGV') return ' (memory that is not mapped was used)';
  return '';
}
