import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder and those above it; false when it exists, whoever made it. Throws the error of the system. */
export function makeFolders(path: string, mode = 0o777): boolean {
  // one by one: below /proc, where nothing can be made, the recursive form of Node 24 never ends
  const missing = [path];
  for (let above = dirname(path); !existsSync(above); above = dirname(above)) missing.unshift(above);
  for (const folder of missing.slice(0, -1)) makeOne(folder, 0o777);
  return makeOne(path, mode);
}

/** Makes a folder; false when it exists. */
function makeOne(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
