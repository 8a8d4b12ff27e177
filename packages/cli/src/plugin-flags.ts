import type { PluginPlace } from '@vhostlab/plugin-kit';
import type { Command } from 'commander';
import { OperatorError } from './errors.ts';

/** Flags that say which plugin. */
export interface PlaceFlags {
  package?: string;
  endpoint?: string;
  builtIn?: string;
}

/** Flags that say which plugin, and with which options. */
export interface PluginFlags extends PlaceFlags {
  option: Record<string, unknown>;
}

/** Adds the flags that say which plugin. */
export function addPluginPlace(command: Command): Command {
  return command
    .option('--package <folder>', 'folder of the plugin, with vhostlab-plugin.json, or a tarball of it')
    .option('--endpoint <address>', 'where a plugin listens: HOST:PORT or unix:/path')
    .option('--built-in <name>', 'one of the built-in back ends');
}

/** Adds the flags that say which plugin, and with which options. */
export function addPluginFlags(command: Command): Command {
  return addPluginPlace(command).option(
    '--option <name=value>',
    'an option of the plugin; repeat for more',
    keepOption,
    {},
  );
}

/** The place of the plugin. */
export async function placeOf({ package: folder, endpoint, builtIn }: PlaceFlags): Promise<PluginPlace> {
  const given = [folder, endpoint, builtIn].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw new OperatorError('name one plugin: --package FOLDER, --endpoint ADDRESS or --built-in NAME');
  }
  if (folder !== undefined) {
    if (!/\.(tgz|tar\.gz)$/.test(folder)) return { package: folder };
    return { package: await (await import('@vhostlab/plugin-kit')).unpackTarball(folder) };
  }
  if (endpoint !== undefined) return { endpoint };
  const { PLUGINS } = await import('@vhostlab/lab');
  const plugin = PLUGINS.find(({ name }) => name === builtIn);
  if (plugin !== undefined) return { plugin };
  const names = PLUGINS.map(({ name }) => name).join(', ');
  throw new OperatorError(`--built-in: "${builtIn}" is unknown; there are ${names}`);
}

/** Options, or undefined when there are none. */
export function optionsOf({ option }: PluginFlags): Record<string, unknown> | undefined {
  return Object.keys(option).length === 0 ? undefined : option;
}

/** `name=value`; a value that is JSON is taken as such, anything else as text. */
export function keepOption(text: string, before: Record<string, unknown>): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at < 1) throw new OperatorError(`--option: "${text}" is not NAME=VALUE`);
  const value = text.slice(at + 1);
  return { ...before, [text.slice(0, at)]: parse(value) };
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
