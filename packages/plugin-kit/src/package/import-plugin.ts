import { pathToFileURL } from 'node:url';
import type { BurstPlugin, PluginDefinition } from '@vhostlab/backend-sdk';
import { type Manifest, PluginUsageError } from './manifest.ts';

/** Loads the module of a package: its default export is what `definePlugin` or `defineBurstPlugin` made. */
export async function importPlugin({
  module,
  name,
  depth,
}: Manifest): Promise<PluginDefinition | BurstPlugin> {
  if (module === undefined) throw new PluginUsageError(`plugin ${name} is a program, not a module`);
  let loaded: { default?: Partial<PluginDefinition | BurstPlugin> };
  try {
    loaded = (await import(pathToFileURL(module).href)) as typeof loaded;
  } catch (error) {
    throw new PluginUsageError(`${module} cannot be loaded: ${(error as Error).message}`);
  }
  const plugin = loaded.default;
  const made = depth === 'device' ? 'definePlugin' : 'defineBurstPlugin';
  if (plugin?.depth !== depth) {
    throw new PluginUsageError(`${module}: its default export is not what ${made} makes`);
  }
  if (plugin.name !== name) {
    throw new PluginUsageError(`${module}: the plugin is named ${plugin.name}, its manifest says ${name}`);
  }
  return plugin as PluginDefinition | BurstPlugin;
}

/** The device plugin that a package has. Throws PluginUsageError when it is a burst plugin. */
export function asDevice(plugin: PluginDefinition | BurstPlugin): PluginDefinition {
  if (plugin.depth === 'device') return plugin;
  throw new PluginUsageError(`plugin ${plugin.name} is a burst plugin, not a device plugin`);
}
