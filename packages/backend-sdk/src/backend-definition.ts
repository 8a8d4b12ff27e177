import { type ComponentDefinition, type ConfigFault, commonV1 } from '@vhostlab/contracts';
import type { CoreModule } from '@vhostlab/engine';
import type { ScenarioConfig } from '@vhostlab/workload';
import type { PluginCapability, PluginDefinition } from './plugin.ts';

const SUPPORT: Record<PluginCapability['support'], commonV1.Support> = {
  offered: commonV1.Support.OFFERED,
  unsupported: commonV1.Support.UNSUPPORTED,
  required: commonV1.Support.REQUIRED,
};

/** What the backend service hosts: several plugins, one of which a configuration names. */
export interface BackendHost {
  definition: ComponentDefinition<ScenarioConfig>;
  modules: ReadonlyMap<string, CoreModule>;
}

/** Joins plugins into the backend service. Throws when two have the same name. */
export function backendHost(plugins: readonly PluginDefinition[]): BackendHost {
  const byName = new Map<string, PluginDefinition>();
  const modules = new Map<string, CoreModule>();
  for (const plugin of plugins) {
    if (byName.has(plugin.name)) throw new Error(`two plugins are named ${plugin.name}`);
    byName.set(plugin.name, plugin);
    for (const [name, module] of plugin.modules) modules.set(name, module);
  }
  const named = (name: string): PluginDefinition => {
    const plugin = byName.get(name);
    if (plugin === undefined) throw new Error(unknown(name));
    return plugin;
  };
  const unknown = (name: string) =>
    `back end "${name}" is unknown; there are ${[...byName.keys()].join(', ')}`;
  const check = (config: ScenarioConfig): ConfigFault[] => {
    const plugin = byName.get(config.backend);
    if (plugin === undefined) return [{ field: 'backend', summary: unknown(config.backend) }];
    const result = plugin.configSchema.safeParse(config);
    if (result.success) return [];
    return result.error.issues.map(({ path, message }) => ({ field: path.join('.'), summary: message }));
  };
  const definition: ComponentDefinition<ScenarioConfig> = {
    name: 'backend',
    summary: plugins.map(({ name, summary }) => `${name}: ${summary}`).join('; '),
    modules: [...modules.keys()],
    capabilities: (peer) =>
      plugins.flatMap((plugin) =>
        plugin.capabilities(peer).map(({ name, support, reason, limit }) => ({
          name: `${plugin.name}.${name}`,
          support: SUPPORT[support],
          reason: reason ?? '',
          limit: BigInt(limit ?? 0),
        })),
      ),
    check,
    plan: (config) => named(config.backend).plan(config),
  };
  return { definition, modules };
}
