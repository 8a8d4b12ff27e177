import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { extract } from 'tar';
import { MANIFEST_FILE, PluginUsageError } from './manifest.ts';

/** Where tarballs are unpacked: beside them, so that their modules find the packages that are installed there. */
const FOLDER = '.vhostlab-plugins';
/** Most bytes and files of an unpacked plugin: an end for an archive that unpacks without one. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_FILES = 10_000;

/**
 * Unpacks the tarball of a plugin, such as `npm pack` makes, beside it, once for the same bytes. Answers the folder
 * with its manifest. Only files and folders inside are made. Throws PluginUsageError.
 */
export async function unpackTarball(path: string): Promise<string> {
  const file = resolve(path);
  const fail = (why: string): never => {
    throw new PluginUsageError(`${file}: ${why}`);
  };
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return fail(`it cannot be read (${(error as NodeJS.ErrnoException).code}); name the tarball of a plugin`);
  }
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const parent = join(dirname(file), FOLDER);
  const folder = join(parent, `${basename(file).replace(/\.(tgz|tar\.gz)$/, '')}-${hash}`);
  if (!existsSync(folder)) {
    mkdirSync(parent, { recursive: true });
    const scratch = mkdtempSync(join(parent, 'unpacking-'));
    try {
      let left = MAX_BYTES;
      let files = 0;
      // an exception of the filter would reach nobody: the first problem is kept, and nothing more is unpacked
      let problem: string | undefined;
      const isWanted = (name: string, type: string, size: number): boolean => {
        left -= size;
        files++;
        if (!['File', 'OldFile', 'Directory'].includes(type)) {
          problem ??= `${name} is a ${type}; only files and folders are unpacked`;
        } else if (left < 0 || files > MAX_FILES) {
          problem ??= `it unpacks to more than ${MAX_BYTES} bytes or ${MAX_FILES} files`;
        }
        return problem === undefined;
      };
      await extract({
        file,
        cwd: scratch,
        strict: true,
        filter: (name, entry) => isWanted(name, 'type' in entry ? entry.type : 'File', entry.size ?? 0),
      }).catch((error: Error) => {
        problem ??= `it is no tarball: ${error.message}`;
      });
      if (problem !== undefined) fail(problem);
      renameSync(scratch, folder);
    } catch (error) {
      rmSync(scratch, { recursive: true, force: true });
      // another process may have been faster
      if (!existsSync(folder)) throw error;
    }
  }
  return rootOf(folder) ?? fail(`it has no ${MANIFEST_FILE}, neither at its top nor in its folder`);
}

/** `npm pack` puts everything into `package/`, others into a folder of another name. */
function rootOf(folder: string): string | undefined {
  const inside = readdirSync(folder).map((name) => join(folder, name));
  return [folder, ...inside].find((path) => existsSync(join(path, MANIFEST_FILE)));
}
