import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const SCOPE = '@vhostlab/';

/** Packages that go out, each a tarball with the other packages of this workspace inside. */
export const PACKED = ['backend-sdk', 'cli'] as const;

interface PackageJson {
  name: string;
  version: string;
  description?: string;
  license?: string;
  type?: string;
  bin?: Record<string, string>;
  exports: Record<string, string>;
  dependencies?: Record<string, string>;
}

/**
 * Makes the tarballs in `out`: TypeScript becomes JavaScript and declarations (Node does not strip types below
 * node_modules), files beside the sources come along. Answers their paths. Throws an Error with what a program said.
 */
export function pack(out: string): string[] {
  const scratch = mkdtempSync(join(tmpdir(), 'vhostlab-pack-'));
  try {
    const built = join(scratch, 'built');
    run('tsc', [
      join(root, 'node_modules/typescript/bin/tsc'),
      '-p',
      join(root, 'tools/pack/tsconfig.json'),
      '--outDir',
      built,
    ]);
    rewrite(built);
    mkdirSync(out, { recursive: true });
    return PACKED.map((name) => packOne(name, built, join(scratch, name), out));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function packOne(name: string, built: string, stage: string, out: string): string {
  const inside = [...closure(name)].filter((other) => other !== name).sort();
  const own = manifest(name);
  const dependencies: Record<string, string> = {};
  for (const one of [name, ...inside]) {
    for (const [dependency, version] of Object.entries(manifest(one).dependencies ?? {})) {
      if (!dependency.startsWith(SCOPE)) dependencies[dependency] = version;
    }
  }
  for (const other of inside) dependencies[`${SCOPE}${other}`] = own.version;
  place(name, built, stage, {
    ...outgoing(own),
    engines: { node: '>=24' },
    dependencies: sorted(dependencies),
    bundleDependencies: inside.map((other) => `${SCOPE}${other}`),
  });
  for (const other of inside) {
    place(other, built, join(stage, 'node_modules', SCOPE, other), outgoing(manifest(other)));
  }
  const said = run('npm', ['pack', '--json', '--pack-destination', out], stage);
  const [{ filename }] = JSON.parse(said.slice(said.indexOf('['))) as [{ filename: string }];
  return join(out, filename.replace('@', '').replace('/', '-'));
}

/** Puts a package's JavaScript, declarations and other files below `folder`. */
function place(name: string, built: string, folder: string, json: object): void {
  const source = join(root, 'packages', name);
  mkdirSync(folder, { recursive: true });
  for (const part of ['src', 'test-kit']) {
    const from = join(built, name, part);
    if (existsSync(from)) cpSync(from, join(folder, part), { recursive: true });
  }
  for (const entry of readdirSync(source)) {
    if (['src', 'test-kit', 'test', 'node_modules', 'package.json'].includes(entry)) continue;
    cpSync(join(source, entry), join(folder, entry), { recursive: true });
  }
  cpSync(join(source, 'src'), join(folder, 'src'), {
    recursive: true,
    filter: (path) => !path.endsWith('.ts'),
  });
  const bin = join(folder, 'bin');
  if (existsSync(bin)) {
    for (const file of readdirSync(bin))
      edit(join(bin, file), (text) => text.replaceAll("/index.ts'", "/index.js'"));
  }
  if (name === 'plugin-kit') cpSync(join(root, 'proto'), join(folder, 'proto'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(json, null, 2)}\n`);
}

/** What of a package.json is true of the package that goes out. */
function outgoing({
  name,
  version,
  description,
  license,
  type,
  bin,
  exports,
  dependencies,
}: PackageJson): object {
  const entries = Object.entries(exports).map(([key, path]) => {
    const stem = path.replace(/\.ts$/, '');
    return [key, { types: `${stem}.d.ts`, default: `${stem}.js` }];
  });
  return {
    name,
    version,
    description,
    license,
    type,
    ...(bin === undefined ? {} : { bin }),
    exports: { ...Object.fromEntries(entries), './package.json': './package.json' },
    ...(dependencies === undefined ? {} : { dependencies }),
  };
}

/** The package and all packages of this workspace that it needs. */
function closure(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  for (const dependency of Object.keys(manifest(name).dependencies ?? {})) {
    if (dependency.startsWith(SCOPE)) closure(dependency.slice(SCOPE.length), found);
  }
  return found;
}

function manifest(name: string): PackageJson {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as PackageJson;
}

/** Names of modules that the compiler leaves alone: URLs of workers, and imports in declarations. */
function rewrite(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if (path.endsWith('.js')) {
      edit(path, (text) => text.replaceAll(/(new URL\('\.[^']*)\.ts'/g, "$1.js'"));
    } else if (path.endsWith('.d.ts')) {
      edit(path, (text) => text.replaceAll(/((?:from |import\()["']\.[^"']*)\.ts(["'])/g, '$1.js$2'));
    }
  }
}

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  if (after !== before) writeFileSync(path, after);
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([x], [y]) => (x < y ? -1 : 1)));
}

function run(name: string, args: readonly string[], cwd = root): string {
  const [program, rest] = name === 'npm' ? ['npm', args] : [process.execPath, args];
  const { status, stdout, stderr, error } = spawnSync(program as string, rest as string[], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(`${name} ended with ${error?.message ?? status}: ${stdout}${stderr}`);
  return stdout;
}

/** The folder of a file's tarballs, made. */
export function tarballFolder(): string {
  return join(root, 'dist', 'tarballs');
}
