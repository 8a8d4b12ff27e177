import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MANIFEST_FILE, type Manifest, readManifest } from './manifest.ts';

/** A folder with a manifest: what it says, or why it cannot be used. */
export type Listed = { readonly folder: string } & (
  | { readonly manifest: Manifest }
  | { readonly problem: string }
);

/** Plugins in `folder`, in its children and in its node_modules. */
export function listPlugins(folder: string): Listed[] {
  const root = resolve(folder);
  const modules = join(root, 'node_modules');
  const scopes = children(modules).filter((path) => path.split('/').at(-1)?.startsWith('@'));
  const folders = [root, ...children(root), ...children(modules), ...scopes.flatMap(children)];
  return folders
    .filter((path) => existsSync(join(path, MANIFEST_FILE)))
    .map((path) => {
      try {
        return { folder: path, manifest: readManifest(path) };
      } catch (error) {
        return { folder: path, problem: (error as Error).message };
      }
    });
}

function children(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => join(folder, name))
    .sort();
}
