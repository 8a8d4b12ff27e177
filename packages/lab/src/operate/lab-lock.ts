import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process by its number and its start in clock ticks since boot, which no other process shares. */
export interface ProcessId {
  pid: number;
  started: string;
}

/** This process. */
export function thisProcess(): ProcessId {
  return { pid: process.pid, started: startOf(process.pid) ?? '' };
}

/** Start of a living process; undefined when there is none. */
export function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const LOCK = 'lock';
/** Makes the names of files in preparation unique in this process. */
let prepared = 0;

/**
 * Takes the lock of a folder for `owner`; answers the living process that has it instead, if there is one. Any number of
 * processes may try at the same moment, and one gets it: the lock appears with its content in it (a hard link), and from
 * a dead owner it is taken by whoever makes the file that is named after that owner. Throws what the disk says.
 */
export function takeLock(folder: string, owner: ProcessId): ProcessId | undefined {
  const lock = join(folder, LOCK);
  const mine = join(folder, `.${LOCK}-${owner.pid}-${process.hrtime.bigint()}-${prepared++}`);
  writeFileSync(mine, JSON.stringify(owner), { mode: 0o600 });
  try {
    for (;;) {
      if (link(mine, lock)) return undefined;
      const text = read(lock);
      if (text === undefined) continue;
      const holder = livingOwner(text);
      if (holder !== undefined) return holder;
      const heir = inherit(folder, mine, text);
      if (heir === 'again') continue;
      return heir;
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** The living process that has a folder's lock. */
export function lockOwner(folder: string): ProcessId | undefined {
  try {
    return livingOwner(read(join(folder, LOCK)) ?? '');
  } catch {
    return undefined;
  }
}

/** Gives a lock back. */
export function dropLock(folder: string): void {
  rmSync(join(folder, LOCK), { force: true });
}

/**
 * Replaces the lock that holds `dead` by `mine`, as its only heir. An heir that died on the way is inherited from in turn.
 * Answers another heir that lives, or `again` when the lock is no longer that of the dead.
 */
function inherit(folder: string, mine: string, dead: string): ProcessId | 'again' | undefined {
  const claims: string[] = [];
  for (let from = dead; ; ) {
    const claim = join(folder, `.${LOCK}-after-${nameOf(from)}`);
    if (!link(mine, claim)) {
      const text = read(claim);
      if (text === undefined) return 'again';
      const heir = livingOwner(text);
      if (heir !== undefined) return heir;
      if (claims.includes(claim)) {
        // nobody wrote this: it says nothing of anybody
        rmSync(claim, { force: true });
        return 'again';
      }
      claims.push(claim);
      from = text;
      continue;
    }
    claims.push(claim);
    const isStill = read(join(folder, LOCK)) === dead;
    // a rename of two names of one file does nothing, so the claim stays until the lock is there
    if (isStill) {
      const copy = `${mine}-lock`;
      writeFileSync(copy, readFileSync(mine), { mode: 0o600 });
      renameSync(copy, join(folder, LOCK));
    }
    for (const path of isStill ? claims : [claim]) rmSync(path, { force: true });
    return isStill ? undefined : 'again';
  }
}

/** What a file name can say of an owner, whatever stands in its lock. */
function nameOf(text: string): string {
  const owner = parse(text);
  return owner === undefined
    ? 'unknown'
    : `${owner.pid}-${owner.started}`.replaceAll(/[^0-9a-z-]/gi, '_').slice(0, 60);
}

function livingOwner(text: string): ProcessId | undefined {
  const owner = parse(text);
  return owner !== undefined && startOf(owner.pid) === owner.started ? owner : undefined;
}

function parse(text: string): ProcessId | undefined {
  try {
    const owner = JSON.parse(text) as ProcessId;
    return Number.isSafeInteger(owner.pid) && typeof owner.started === 'string' ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the second name could be given to the file; false: it is taken. */
function link(file: string, name: string): boolean {
  try {
    linkSync(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
