import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inside } from '../compare/inside.ts';
import { makeFolders } from '../compare/make-folder.ts';
import { RunFolder } from '../compare/run-folder.ts';
import { UsageError } from '../scenario/options.ts';
import { dropLock, lockOwner, type ProcessId, takeLock } from './lab-lock.ts';
import type { LabEvent, LabState } from './state.ts';

/** Folder of the labs that are up or have been, below the present one. */
export const LABS_FOLDER = join('vhostlab-runs', 'labs');

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/**
 * A lab's folder: its state, its events, the file that it was made of and what its runs left. Only its owner may
 * look into it, because the token is there.
 */
export class LabFolder {
  readonly name: string;
  readonly path: string;

  /** The folder of a lab below `labs`; nothing is made yet. Throws UsageError for a name that is no file name. */
  constructor(labs: string, name: string) {
    if (!NAME.test(name)) {
      throw new UsageError(
        `name: "${name}" cannot be brought up; a lab's name begins with a letter or digit and has at most 63 of a-z, 0-9, - and _`,
      );
    }
    this.name = name;
    this.path = resolve(labs, name);
  }

  /** A file of the folder. Throws UsageError for names that lead out of it, whoever gave them. */
  file(...names: string[]): string {
    return inside(this.path, ...names);
  }

  /** A folder for one more run: `runs/1`, `runs/2`, … */
  newRun(): RunFolder {
    mkdirSync(this.file('runs'), { recursive: true });
    for (let n = 1; ; n++) {
      const path = this.file('runs', String(n));
      if (!existsSync(path)) return RunFolder.create(path, new Date());
    }
  }

  /** Makes the folder. Throws UsageError when that cannot be. */
  make(): void {
    try {
      makeFolders(this.path, 0o700);
    } catch (error) {
      throw this.diskFault(error);
    }
  }

  /**
   * Takes the lab for the process `pid`, whose start time makes the number unique. Throws UsageError when a living
   * process has it; what a dead one left is taken over.
   */
  lock(owner: ProcessId): void {
    let holder: ProcessId | undefined;
    try {
      holder = takeLock(this.path, owner);
    } catch (error) {
      throw this.diskFault(error);
    }
    if (holder !== undefined) {
      throw new UsageError(
        `lab ${this.name} is up already (process ${holder.pid}, ${this.path}); end it with vhostlab lab down ${this.name} or give the other lab another name`,
      );
    }
  }

  unlock(): void {
    dropLock(this.path);
  }

  /** The living process that has the lab. */
  owner(): ProcessId | undefined {
    return lockOwner(this.path);
  }

  /** A new folder for sockets: their paths must be short, whatever that of the lab. */
  socketFolder(): string {
    return mkdtempSync(join(tmpdir(), 'vhostlab-'));
  }

  /** Replaces the state; a reader sees the old one or the new one. */
  writeState(state: LabState): void {
    this.replace('state.json', `${JSON.stringify(state, null, 2)}\n`);
  }

  /** The last state; undefined when there is none that can be read. */
  readState(): LabState | undefined {
    try {
      return JSON.parse(readFileSync(this.file('state.json'), 'utf8')) as LabState;
    } catch {
      return undefined;
    }
  }

  /** Replaces a file of the folder. Throws UsageError when there is no room. */
  replace(name: string, text: string): void {
    const next = this.file(`.${name}.next`);
    try {
      writeFileSync(next, text, { mode: 0o600 });
      renameSync(next, this.file(name));
    } catch (error) {
      throw this.diskFault(error);
    }
  }

  /** Forgets what earlier lives of the lab left, its runs excepted. */
  clear(): void {
    for (const name of ['state.json', 'events.jsonl', 'lab.yaml', 'token']) {
      if (existsSync(this.file(name))) unlinkSync(this.file(name));
    }
  }

  readEvents(): LabEvent[] {
    let text: string;
    try {
      text = readFileSync(this.file('events.jsonl'), 'utf8');
    } catch {
      return [];
    }
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LabEvent);
  }

  /** A fault of the disk as one sentence. */
  diskFault(error: unknown): UsageError {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOSPC' ? 'no space is left on the disk' : `${code ?? (error as Error).message}`;
    return new UsageError(
      `${this.path} cannot be written: ${why}; make room or name another place with --labs`,
    );
  }
}

/** Names of the labs below a folder that have a state. */
export function labNames(labs: string): string[] {
  try {
    return readdirSync(labs)
      .filter((name) => existsSync(join(labs, name, 'state.json')))
      .sort();
  } catch {
    return [];
  }
}
