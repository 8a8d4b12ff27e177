import { createHash } from 'node:crypto';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type LogSection, mergeLog } from '@vhostlab/trace';
import { UsageError } from '../scenario/options.ts';
import { inside } from './inside.ts';
import { makeFolders } from './make-folder.ts';

/** Where runs go when no folder is named. */
export const RUNS_FOLDER = 'vhostlab-runs';

/** A run's folder: made at the start, complete only when `run.json` says so. */
export class RunFolder {
  readonly path: string;
  readonly id: string;
  #run: Record<string, unknown> = {};

  private constructor(path: string, id: string) {
    this.path = path;
    this.id = id;
  }

  /** Makes the folder named, which must not exist, or a new one with a unique name. Throws UsageError. */
  static create(out: string | undefined, startedAt: Date): RunFolder {
    if (out !== undefined) {
      const path = resolve(out);
      if (!makeFolder(path, `--out: ${out}`)) {
        throw new UsageError(`--out: ${out} exists already; name a folder that does not`);
      }
      return new RunFolder(path, basename(path));
    }
    const stamp = startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
    for (let n = 0; ; n++) {
      const id = n === 0 ? stamp : `${stamp}-${n}`;
      const path = resolve(RUNS_FOLDER, id);
      if (makeFolder(path, RUNS_FOLDER)) return new RunFolder(path, id);
    }
  }

  /** A file of the folder. Throws for a name that leads out of it. */
  file(name: string): string {
    return inside(this.path, name);
  }

  /** Writes `run.json`; called at the start with state `incomplete` and again whenever more is known. */
  describe(more: Record<string, unknown>): void {
    this.#run = { ...this.#run, ...more };
    this.writeJson('run.json', this.#run);
  }

  writeJson(name: string, value: unknown): void {
    this.write(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  write(name: string, text: string | Uint8Array): void {
    writeFileSync(this.file(name), text);
  }

  /** Merges and writes `events.vlog`; answers its SHA-256. */
  writeLog(sections: readonly LogSection[]): string {
    const hash = createHash('sha256');
    const file = openSync(this.file('events.vlog'), 'w');
    try {
      mergeLog(sections, (bytes) => {
        hash.update(bytes);
        writeSync(file, bytes);
      });
    } finally {
      closeSync(file);
    }
    return hash.digest('hex');
  }
}

/** Makes a folder and those above it; false when it exists, whoever made it. Throws UsageError. */
function makeFolder(path: string, named: string): boolean {
  try {
    return makeFolders(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${named}: the run folder cannot be made (${code}); name another place with --out`);
  }
}
