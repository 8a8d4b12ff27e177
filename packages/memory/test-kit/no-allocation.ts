import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * What a module of hot cases exports as `hotCases`: by name a set-up that answers the function to measure. The
 * function is called with 0, 1, 2, … and does one burst or one packet per call.
 */
export type HotCases = Readonly<Record<string, () => (call: number) => unknown>>;

/** How long to measure, and what is too much. */
export interface AllocationOptions {
  /** Calls per case that count, after those that the compiler needs to settle. Default 100,000. */
  readonly calls?: number;
  /** Refused from this many bytes per call on. Default 1. */
  readonly limitBytes?: number;
}

/**
 * Runs every hot case of a module in a child process with `--expose-gc` and answers the heap growth in bytes per call
 * by case. The young generation is made so large that garbage of a slice is still there when it is counted, and the
 * compiler works in the measured thread: how soon a function is optimised depends on calls, not on what else runs.
 */
export async function measureAllocation(
  module: URL,
  options: AllocationOptions = {},
): Promise<Record<string, number>> {
  const child = fileURLToPath(new URL('./allocation-child.ts', import.meta.url));
  const flags = ['--expose-gc', '--single-threaded', '--min-semi-space-size=64', '--max-semi-space-size=64'];
  const args = [...flags, child, fileURLToPath(module), String(options.calls ?? 100_000)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}

/**
 * Throws an error that names every hot case of `module` whose heap grows by `limitBytes` or more per call (design rule
 * for anything per packet). Throws as well when the module has no case, so that the test cannot pass by accident.
 */
export async function expectNoAllocation(module: URL, options: AllocationOptions = {}): Promise<void> {
  const measured = Object.entries(await measureAllocation(module, options));
  if (measured.length === 0) throw new Error(`${module.href} exports no hot case`);
  const limit = options.limitBytes ?? 1;
  const guilty = measured.filter(([, bytes]) => !(bytes < limit));
  if (guilty.length > 0) {
    const list = guilty.map(([name, bytes]) => `${name}: ${bytes.toFixed(1)} bytes per call`);
    throw new Error(`allocates: ${list.join('; ')}`);
  }
}
