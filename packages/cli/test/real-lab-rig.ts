import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LabState } from '@vhostlab/lab';
import { run, type Scratch } from './command.ts';

/** How long emulated guests on a busy machine may take. */
export const PATIENCE = { timeout: 60_000, interval: 100 };

/** State of a lab below the scratch folder. */
export async function inspect(scratch: Scratch, name: string): Promise<LabState> {
  return JSON.parse((await run(scratch, 'lab', 'inspect', name, '-f', 'json')).stdout) as LabState;
}

/** Processes that were started in the lab's folder of temporary files, and those that are shown. */
export function processesOf(state: LabState): number[] {
  const folder = state.control.slice('unix:'.length).replace(/\/control\.sock$/, '');
  const ours = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(folder);
      } catch {
        return false;
      }
    });
  return [...new Set([...ours.map(Number), ...state.nodes.map(({ pid }) => pid as number)])];
}

/** Sockets below a folder, with their modes. */
export function socketsBelow(folder: string): [string, number][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => [name, statSync(join(folder, name))] as const)
    .filter(([, stat]) => stat.isSocket())
    .map(([name, stat]) => [name, stat.mode & 0o777]);
}
