import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LeakReport } from './child.ts';

/** Runs the child, alone in its process, and answers what it counted. */
export async function countLeaks(repetitions: number): Promise<LeakReport> {
  const child = new URL('./child.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [child, String(repetitions)]);
  return JSON.parse(stdout) as LeakReport;
}
