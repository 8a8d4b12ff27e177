import { type ComponentDefinition, type ConfigFault, commonV1 } from '@vhostlab/contracts';
import type { CoreModule } from '@vhostlab/engine';
import { backendInstances, type ScenarioConfig } from '@vhostlab/workload';
import { joinPlans, planOfInstance } from './instance-plan.ts';
import { optionFaults } from './options.ts';
import { type PluginCapability, type PluginDefinition, schemaJson } from './plugin.ts';
import { scenarioSchema } from './scenario-schema.ts';

/** Support as contracts have it. */
export const SUPPORT: Record<PluginCapability['support'], commonV1.Support> = {
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
  /** The plugin that a scenario asks for: by its name, or the only one that attaches as the back end. */
  const nameOf = ({ backend, plugin }: ScenarioConfig): string => {
    if (plugin !== undefined || byName.has(backend)) return plugin?.name ?? backend;
    const attached = plugins.filter(({ attachesAs }) => attachesAs === backend);
    return attached.length === 1 ? (attached[0] as PluginDefinition).name : backend;
  };
  const named = (name: string): PluginDefinition => {
    const plugin = byName.get(name);
    if (plugin === undefined) throw new Error(unknown(name));
    return plugin;
  };
  const unknown = (name: string) =>
    `back end "${name}" is unknown; there are ${[...byName.keys()].join(', ')}`;
  const check = (config: ScenarioConfig): ConfigFault[] => {
    const name = nameOf(config);
    const plugin = byName.get(name);
    const field = config.plugin === undefined ? 'backend' : 'plugin.name';
    if (plugin === undefined) return [{ field, summary: unknown(name) }];
    if (plugin.attachesAs !== config.backend) {
      const summary = `Plugin "${name}" attaches as ${plugin.attachesAs}, not as ${config.backend}.`;
      return [{ field: 'backend', summary }];
    }
    const result = plugin.configSchema.safeParse(config);
    const faults = result.success
      ? []
      : result.error.issues.map(({ path, message }) => ({ field: path.join('.'), summary: message }));
    return [...faults, ...optionFaults(plugin.options, config.plugin?.options, 'plugin.options.')];
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
    configSchemaJson: schemaJson(scenarioSchema),
    plan: (config) =>
      joinPlans(
        backendInstances(config).map((instance) =>
          planOfInstance(named(nameOf(instance.config)).plan(instance.config), instance),
        ),
      ),
  };
  return { definition, modules };
}
