import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A folder of protos and the folder that holds the code made from it. */
export interface Target {
  /** Folder of proto files, relative to the workspace. */
  readonly from: string;
  /** Folder that holds nothing but generated code, relative to the workspace. */
  readonly to: string;
}

/** All generated code of the workspace. */
export const targets: readonly Target[] = [
  { from: 'proto', to: 'packages/contracts/src/gen' },
  { from: 'packages/contracts/test/proto', to: 'packages/contracts/test/gen' },
];

/** A file whose committed bytes are not those that the generator writes. */
export interface Difference {
  readonly file: string;
  readonly how: 'out of date' | 'missing' | 'left over';
}

/**
 * Generates all targets with buf and protoc-gen-es from node_modules, without network, and compares the files with
 * those in the tree. Unless `check` is set the tree is then made equal. Returns what differed, ordered by name.
 */
export async function generate(root: string, all: readonly Target[], check: boolean): Promise<Difference[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'vhostlab-gen-'));
  try {
    const differences: Difference[] = [];
    for (const target of all) {
      const out = join(scratch, target.to);
      await buf(root, target.from, out);
      differences.push(...(await compareFolder(root, target.to, out, check)));
    }
    return differences.sort((a, b) => (a.file < b.file ? -1 : 1));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Runs the plugins of buf.gen.yaml on one folder; buf finds the plugin and Node 24 in node_modules/.bin. */
async function buf(root: string, from: string, out: string): Promise<void> {
  const template = await readFile(join(root, 'buf.gen.yaml'), 'utf8');
  const here = template
    .replace(/^( *out:).*$/m, `$1 ${JSON.stringify(out)}`)
    .replace(/^( *- directory:).*$/m, `$1 ${JSON.stringify(from)}`);
  const bin = join(root, 'node_modules/.bin');
  const templateFile = `${out}.buf.gen.yaml`;
  await mkdir(dirname(templateFile), { recursive: true });
  await writeFile(templateFile, here);
  await run(join(bin, 'buf'), ['generate', '--template', templateFile], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
  });
}

/**
 * Compares the folder `to` of the tree with the files of `out`, which is all that it should hold; unless `check` is set
 * it is then made equal. Returns what differed.
 */
export async function compareFolder(
  root: string,
  to: string,
  out: string,
  check: boolean,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  const wanted = await listFiles(out);
  for (const name of wanted) {
    const file = join(to, name);
    const bytes = await readFile(join(out, name));
    const committed = await readFile(join(root, file)).catch(() => null);
    if (committed?.equals(bytes)) {
      continue;
    }
    differences.push({ file, how: committed === null ? 'missing' : 'out of date' });
    if (!check) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await writeFile(join(root, file), bytes);
    }
  }
  const known = new Set(wanted);
  for (const name of await listFiles(join(root, to))) {
    if (!known.has(name)) {
      differences.push({ file: join(to, name), how: 'left over' });
      if (!check) {
        await rm(join(root, to, name));
      }
    }
  }
  return differences;
}

/** All files below a folder, relative to it; none when it does not exist. */
async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
