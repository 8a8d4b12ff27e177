import { optionFaults, type PluginDefinition } from '@vhostlab/backend-sdk';
import { PluginUsageError } from '../package/manifest.ts';

/** The plugin with options for scenarios that name none. Throws PluginUsageError naming a wrong one. */
export function configured(plugin: PluginDefinition, options: Record<string, unknown>): PluginDefinition {
  const [fault] = optionFaults(plugin.options, options, '');
  if (fault !== undefined) throw new PluginUsageError(`--option ${fault.field}: ${fault.summary}`);
  return {
    ...plugin,
    plan: (config) => plugin.plan({ ...config, plugin: config.plugin ?? { name: plugin.name, options } }),
  };
}
