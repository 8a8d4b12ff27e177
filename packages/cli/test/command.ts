import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '..', 'bin', 'vhostlab.mjs');

/** A folder of its own for one test file: commands run in `path` and put temporary files into `temporary`. */
export class Scratch {
  readonly path = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
  readonly temporary = join(this.path, 'tmp');

  constructor() {
    mkdirSync(this.temporary);
  }

  file(...names: string[]): string {
    return join(this.path, ...names);
  }

  json(...names: string[]): Record<string, unknown> {
    return JSON.parse(readFileSync(this.file(...names), 'utf8'));
  }

  /** Names of what commands have left among the temporary files. */
  leftovers(): string[] {
    return readdirSync(this.temporary);
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** A vhostlab that runs, in a process group of its own. */
export interface Running {
  child: ChildProcess;
  pid: number;
  stdout(): string;
  stderr(): string;
  /** Exit status; throws when a signal ended the process. */
  exited: Promise<number>;
}

/** Starts `vhostlab` in the scratch folder. */
export function start(scratch: Scratch, ...args: string[]): Running {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: scratch.path,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TMPDIR: scratch.temporary,
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    },
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (data: Buffer) => {
      text[name] += data.toString();
    });
  }
  const exited = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === null) reject(new Error(`ended by ${signal}: ${text.stderr}`));
      else resolve(status);
    });
  });
  return { child, pid: child.pid ?? 0, stdout: () => text.stdout, stderr: () => text.stderr, exited };
}

/** Runs `vhostlab` to its end. */
export async function run(
  scratch: Scratch,
  ...args: string[]
): Promise<{ status: number; stdout: string; stderr: string }> {
  const running = start(scratch, ...args);
  running.child.stdin?.end();
  const status = await running.exited;
  return { status, stdout: running.stdout(), stderr: running.stderr() };
}

/** A service process of a running command. */
export interface ServiceProcess {
  role: string;
  pid: number;
  address: string;
}

/** The service processes that a command has started and that live. */
export function servicesOf(pid: number): ServiceProcess[] {
  const found: ServiceProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || parentOf(name) !== pid) continue;
    const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
    const at = words.indexOf('serve');
    if (at >= 0) {
      found.push({
        pid: Number(name),
        role: words[at + 1],
        address: words[words.indexOf('--listen') + 1],
      });
    }
  }
  return found;
}

/** Whether a process lives; one that has ended and waits for its parent does not. */
export function lives(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0] !== 'Z';
  } catch {
    return false;
  }
}

function parentOf(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1]);
  } catch {
    return 0;
  }
}
