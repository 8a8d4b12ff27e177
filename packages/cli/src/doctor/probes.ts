import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

/** The questions that `doctor` asks the machine; every answer says "absent" by null or an empty list, none throws. */
export interface Probes {
  readonly nodeVersion: string;
  cpus(): { readonly count: number; readonly model: string };
  memory(): { readonly totalBytes: number; readonly freeBytes: number };
  /** Content of a small file, or null. */
  readText(path: string): Promise<string | null>;
  /** Names in a folder, sorted; empty when there is none. */
  list(folder: string): Promise<readonly string[]>;
  /** Whether a device node is there and may be opened for reading and writing by this user. */
  device(path: string): Promise<'accessible' | 'no permission' | 'missing'>;
  /** Full path of a program, or null. */
  find(program: string): Promise<string | null>;
  /** First line of what a program prints, or null when it cannot run, fails or takes longer than 5 s. */
  firstLine(program: string, args: readonly string[]): Promise<string | null>;
}

const PROBE_TIMEOUT_MS = 5_000;
/** Debian keeps daemons where the PATH of an ordinary user does not look. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** Probes of the machine we run on; programs are searched on the PATH of `env` and in the sbin folders. */
export function systemProbes(env: Readonly<Record<string, string | undefined>>): Probes {
  const folders = [...(env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), ...SYSTEM_FOLDERS];
  return {
    nodeVersion: process.versions.node,
    cpus: () => ({ count: availableParallelism(), model: cpus()[0]?.model.trim() ?? 'unknown' }),
    memory: () => ({ totalBytes: totalmem(), freeBytes: freemem() }),
    readText: (path) => readFile(path, 'utf8').catch(() => null),
    list: async (folder) => (await readdir(folder).catch(() => [])).sort(),
    device: async (path) => {
      if (await allows(path, constants.R_OK | constants.W_OK)) {
        return 'accessible';
      }
      return (await allows(path, constants.F_OK)) ? 'no permission' : 'missing';
    },
    find: async (program) => {
      for (const folder of folders) {
        const path = join(folder, program);
        if (await allows(path, constants.X_OK)) {
          return path;
        }
      }
      return null;
    },
    firstLine: (program, args) =>
      new Promise((resolve) => {
        execFile(program, [...args], { timeout: PROBE_TIMEOUT_MS }, (error, stdout) => {
          const line = stdout.trim().split('\n')[0]?.trim() ?? '';
          resolve(error === null && line !== '' ? line : null);
        });
      }),
  };
}

async function allows(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}
