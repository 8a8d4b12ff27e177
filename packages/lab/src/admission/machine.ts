import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { missingImagePart } from '../real-nodes/linux-image.ts';
import { findProgram } from '../real-nodes/programs.ts';

/** What admission asks a machine; a test has one of its own. */
export interface Machine {
  /** CPUs that this process may run on. */
  readonly cpus: readonly number[];
  readonly availableMiB: number;
  /** Huge pages of the default size. */
  readonly hugepages: { readonly pageMiB: number; readonly free: number };
  readonly isRoot: boolean;
  /** Folder for temporary files. */
  readonly temporary: string;
  /** Why /dev/kvm cannot be used; undefined when it can. */
  kvmProblem(): string | undefined;
  has(program: string): boolean;
  canRead(path: string): boolean;
  /** File that the image `linux` is missing. */
  missingImagePart(): string | undefined;
  /** Why nobody can listen at HOST:PORT, as the system says it; undefined when one can. */
  listenProblem(host: string, port: number): Promise<string | undefined>;
}

/** This machine as it is now. */
export function thisMachine(): Machine {
  const memory = readFileSync('/proc/meminfo', 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0);
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    cpus: cpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0'),
    availableMiB: Math.floor(field('MemAvailable') / 1024),
    hugepages: { pageMiB: field('Hugepagesize') / 1024, free: field('HugePages_Free') },
    isRoot: process.geteuid?.() === 0,
    temporary: tmpdir(),
    kvmProblem,
    has: (program) => findProgram(program) !== undefined,
    canRead: (path) => may(path, constants.R_OK) === undefined,
    missingImagePart,
    listenProblem,
  };
}

/** `0-2,5` as numbers. */
export function cpuList(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function kvmProblem(): string | undefined {
  if (!existsSync('/dev/kvm')) return 'is not there';
  const code = may('/dev/kvm', constants.R_OK | constants.W_OK);
  return code === undefined ? undefined : `may not be opened (${code})`;
}

function may(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

function listenProblem(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
