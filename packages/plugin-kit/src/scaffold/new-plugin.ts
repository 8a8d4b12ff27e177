import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLUGIN_NAME } from '@vhostlab/backend-sdk';
import { PluginUsageError } from '../package/manifest.ts';

const TEMPLATES = fileURLToPath(new URL('../../templates', import.meta.url));
/** The contracts, for languages that make their own messages: in the repository and in the package. */
const PROTOS = [
  fileURLToPath(new URL('../../proto', import.meta.url)),
  fileURLToPath(new URL('../../../../proto', import.meta.url)),
];
/** What a burst plugin needs of them. */
const NEEDED = [
  'vhostlab/backend/v1/backend.proto',
  'vhostlab/backend/v1/burst.proto',
  'vhostlab/common/v1/common.proto',
  'vhostlab/common/v1/plan.proto',
];

/** What kind of plugin to make. */
export interface NewPlugin {
  readonly name: string;
  readonly depth: 'burst' | 'device';
  readonly language: 'ts' | 'python';
  /** Where its folder is made. */
  readonly parent: string;
  /** Version of the SDK and the command that it asks for. */
  readonly version: string;
}

/** Files of a new plugin by their paths in its folder: what `newPlugin` and the generator of the repository write. */
export function pluginFiles({
  name,
  depth,
  language,
  version,
}: Omit<NewPlugin, 'parent'>): Map<string, string> {
  if (!PLUGIN_NAME.test(name)) {
    throw new PluginUsageError(
      `plugin name "${name}": use lower-case letters, digits and hyphens, 63 at most`,
    );
  }
  if (depth === 'device' && language === 'python') {
    throw new PluginUsageError(
      'a device plugin is TypeScript: its cores run in the host; make a --burst plugin in Python',
    );
  }
  const template = join(TEMPLATES, `${depth}-${language}`);
  const found = new Map<string, string>();
  for (const entry of readdirSync(template, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const text = readFileSync(from, 'utf8').replaceAll('__NAME__', name).replaceAll('__VERSION__', version);
    found.set(relative(template, from), text);
  }
  if (language === 'python') {
    const protos = PROTOS.find((path) => existsSync(path)) as string;
    for (const file of NEEDED) found.set(join('proto', file), readFileSync(join(protos, file), 'utf8'));
  }
  return new Map([...found].sort(([x], [y]) => (x < y ? -1 : 1)));
}

/** Makes the package of a plugin that passes the kit at once; answers its files, relative to `parent`. Throws PluginUsageError. */
export function newPlugin({ parent, ...plugin }: NewPlugin): string[] {
  const files = pluginFiles(plugin);
  const folder = join(resolve(parent), plugin.name);
  if (existsSync(folder)) throw new PluginUsageError(`${folder} exists; choose another name or folder`);
  for (const [path, text] of files) {
    const to = join(folder, path);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, text);
  }
  return [...files.keys()].map((path) => join(plugin.name, path));
}
