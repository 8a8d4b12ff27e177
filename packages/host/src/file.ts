import { constants, openSync, readFileSync } from 'node:fs';
import { Fd } from './fd.ts';

/** Makes a file, or empties the one that is there, and opens it for writing. Throws the system's error, which names it. */
export function createFile(path: string): Fd {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
  return new Fd(openSync(path, flags, 0o644), path);
}

/** All bytes of a file. Throws the system's error, which names it. */
export function readFileBytes(path: string): Uint8Array {
  return readFileSync(path);
}
