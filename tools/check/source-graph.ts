import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** One import of a file: static, `import type`, re-export or `import('literal')`. */
export interface ImportEdge {
  readonly specifier: string;
  /** 1-based line of the import. */
  readonly line: number;
  /** Repository-relative path of the imported file, or null for a package from the registry or a node module. */
  readonly target: string | null;
}

/** One source file with everything it imports. */
export interface SourceFile {
  /** Path relative to the repository root, with forward slashes. */
  readonly path: string;
  /** Folder name under packages/, or `tools`. */
  readonly owner: string;
  readonly text: string;
  readonly imports: readonly ImportEdge[];
}

/** The parts of a package.json that the checks read. */
export interface Manifest {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  /** Files by the sub-path under which other packages import them; `.` is the index. */
  readonly exports: Readonly<Record<string, string>>;
}

/** The workspace as the checks see it. */
export interface SourceGraph {
  readonly root: string;
  /** Folder names under packages/, sorted. */
  readonly packages: readonly string[];
  /** Manifests by folder name; the root's own is under `.`. */
  readonly manifests: ReadonlyMap<string, Manifest>;
  readonly files: readonly SourceFile[];
}

const SCOPE = '@vhostlab/';
const SOURCE = /\.(ts|mts|mjs|js)$/;
const LEFT_OUT = new Set(['node_modules', 'dist', '.nx']);

/**
 * Reads every source file of packages/ and tools/ below `root` and resolves its imports.
 * A file that cannot be read throws; an import that leads nowhere has a null target (the type checker reports it).
 */
export function readSourceGraph(root: string): SourceGraph {
  const packagesDir = join(root, 'packages');
  const packages = existsSync(packagesDir)
    ? readdirSync(packagesDir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && existsSync(join(packagesDir, entry.name, 'package.json')))
        .map((entry) => entry.name)
        .sort()
    : [];
  const manifests = new Map<string, Manifest>([['.', readManifest(join(root, 'package.json'))]]);
  for (const name of packages) {
    manifests.set(name, readManifest(join(packagesDir, name, 'package.json')));
  }
  const files: SourceFile[] = [];
  for (const name of packages) {
    collect({ root, manifests }, join(packagesDir, name), name, files);
  }
  if (existsSync(join(root, 'tools'))) {
    collect({ root, manifests }, join(root, 'tools'), 'tools', files);
  }
  return { root, packages, manifests, files };
}

/** Whether a path holds generated code (a `gen` folder), which carries no hand-written rules. */
export function isGenerated(path: string): boolean {
  return path.includes('/gen/');
}

/** Whether a path belongs to tests or to what a package gives to tests, which may touch the operating system. */
export function isTest(path: string): boolean {
  return /\/(test|test-kit)\//.test(path) || path.endsWith('.test.ts');
}

function readManifest(path: string): Manifest {
  if (!existsSync(path)) {
    return { name: '', dependencies: {}, devDependencies: {}, exports: {} };
  }
  const raw = JSON.parse(readFileSync(path, 'utf8')) as Partial<Manifest>;
  return {
    name: raw.name ?? '',
    dependencies: raw.dependencies ?? {},
    devDependencies: raw.devDependencies ?? {},
    exports: raw.exports ?? {},
  };
}

type Workspace = Pick<SourceGraph, 'root' | 'manifests'>;

function collect(workspace: Workspace, dir: string, owner: string, files: SourceFile[]): void {
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (!LEFT_OUT.has(entry.name)) {
        collect(workspace, path, owner, files);
      }
    } else if (entry.isFile() && SOURCE.test(entry.name) && !entry.name.endsWith('.d.ts')) {
      files.push(readSource(workspace, path, owner));
    }
  }
}

function readSource(workspace: Workspace, path: string, owner: string): SourceFile {
  const text = readFileSync(path, 'utf8');
  const imports: ImportEdge[] = [];
  for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
    imports.push({
      specifier: fileName,
      line: lineAt(text, pos),
      target: resolve(workspace, path, fileName),
    });
  }
  return { path: relative(workspace.root, path).replaceAll('\\', '/'), owner, text, imports };
}

function resolve({ root, manifests }: Workspace, from: string, specifier: string): string | null {
  let file: string;
  if (specifier.startsWith('.')) {
    file = join(dirname(from), specifier);
  } else if (specifier.startsWith(SCOPE)) {
    const [folder, ...subPath] = specifier.slice(SCOPE.length).split('/') as [string, ...string[]];
    const exported = manifests.get(folder)?.exports[['.', ...subPath].join('/')];
    file = join(root, 'packages', folder, exported ?? 'nowhere');
  } else {
    return null;
  }
  return existsSync(file) ? relative(root, file).replaceAll('\\', '/') : null;
}

function lineAt(text: string, pos: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < pos; at = text.indexOf('\n', at + 1)) {
    line += 1;
  }
  return line;
}
