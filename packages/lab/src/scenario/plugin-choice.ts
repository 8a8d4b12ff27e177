import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { BackendName } from '@vhostlab/workload';
import { z } from 'zod';

/** Names of rows: what stands in tables, in the event log, and in the names of runs. */
export const ROW_NAME = /^[a-z][a-z0-9-]{0,62}$/;
/** Host and port or a Unix socket, in place of a folder. */
const ADDRESS = /^unix:|^(\[[^\]]+\]|[^\s/:]+):\d{1,5}$/;
const MANIFEST = 'vhostlab-plugin.json';

/** A plugin as a back end of a comparison: where it is, and its options. */
export const pluginChoiceSchema = z
  .strictObject(
    {
      plugin: z.string().min(1).meta({
        description:
          'Where the plugin is: a folder with vhostlab-plugin.json, a tarball of one, an installed npm package, or the address of a burst plugin that somebody runs. A relative path starts at the folder of the lab file.',
      }),
      name: z
        .string()
        .regex(ROW_NAME, { error: 'use lower-case letters, digits and hyphens, 63 at most' })
        .optional()
        .meta({ description: 'Name of its row; without it the name of the plugin.' }),
      options: z.record(z.string(), z.unknown()).default({}).meta({
        description: 'Options of the plugin; it checks them itself.',
      }),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys' ? 'no such key here; there are plugin, name, options' : undefined,
    },
  )
  .meta({ description: 'A plugin of your own as a back end.' });

/** A plugin that was chosen: `plugin` is an absolute path or an address, and the row has a name. */
export type PluginChoice = z.infer<typeof pluginChoiceSchema>;
/** A built-in back end or a plugin. */
export type BackendChoice = BackendName | PluginChoice;

/** True for the address of a plugin that somebody else runs. */
export function isAddress(place: string): boolean {
  return ADDRESS.test(place);
}

/**
 * What a choice means that was written in `base`, a folder: a path becomes absolute, the name of a package its folder
 * below node_modules, and the row gets a name. Throws an Error, part of a sentence, when there is nothing of that name.
 */
export function locateChoice<Choice extends { plugin: string; name?: string | undefined }>(
  choice: Choice,
  base: string,
): Choice & { name: string } {
  const place = locate(choice.plugin, base);
  return { ...choice, plugin: place, name: choice.name ?? nameAt(place) };
}

/** Choices with names that differ: the second row of a name is called NAME-2, and so on. */
export function nameApart<Choice>(choices: readonly Choice[]): Choice[] {
  const seen = new Map<string, number>();
  return choices.map((choice) => {
    if (typeof choice !== 'object' || choice === null || !('name' in choice)) return choice;
    const name = String(choice.name);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? choice : { ...choice, name: `${name}-${count}` };
  });
}

function locate(text: string, base: string): string {
  if (isAddress(text)) return text;
  const path = resolve(base, text);
  if (existsSync(path)) return path;
  if (/^(@[\w.-]+\/)?[\w.-]+$/.test(text) && !text.endsWith('.tgz')) {
    for (let folder = resolve(base); ; folder = dirname(folder)) {
      const found = join(folder, 'node_modules', text);
      if (existsSync(found)) return found;
      if (folder === dirname(folder)) break;
    }
    throw new Error(
      `"${text}" is no folder and no installed package; make one with vhostlab plugin new, or install it`,
    );
  }
  throw new Error(`${path} does not exist; name the folder or the tarball of a plugin`);
}

/** The name of a plugin by its manifest, or by the name of its file. */
function nameAt(place: string): string {
  if (isAddress(place)) return 'plugin';
  try {
    const { name } = JSON.parse(readFileSync(join(place, MANIFEST), 'utf8')) as { name?: unknown };
    if (typeof name === 'string' && ROW_NAME.test(name)) return name;
  } catch {
    // what is wrong with it is said when it is opened
  }
  const name = basename(place)
    .toLowerCase()
    .replace(/(-\d+\.\d+\.\d+.*)?\.(tgz|tar\.gz)$/, '')
    .replaceAll(/[^a-z0-9-]/g, '-');
  return ROW_NAME.test(name) ? name : 'plugin';
}
