import type { commonV1 } from '@vhostlab/contracts';
import type { ComponentPlan, CoreModule } from '@vhostlab/engine';
import type { BackendName, ScenarioConfig } from '@vhostlab/workload';
import type { z } from 'zod';

/** One line of what a back end can do, with the reason where it cannot. */
export interface PluginCapability {
  name: string;
  support: 'offered' | 'unsupported' | 'required';
  reason?: string;
  limit?: number;
}

/** What a back-end plugin is: everything that the backend service and the lab know of it. */
export interface PluginDefinition<C = ScenarioConfig> {
  /** Name on the command line and in results. */
  name: BackendName | (string & {});
  summary: string;
  /** Configuration that it takes; unknown keys are refused by name. */
  configSchema: z.ZodType<C>;
  /** What it can do with a peer that can do `peer`. */
  capabilities(peer: readonly commonV1.Capability[]): PluginCapability[];
  /** Its cores, windows and channel ends for a configuration. */
  plan(config: C): ComponentPlan;
  /** Modules of its cores. */
  modules: ReadonlyMap<string, CoreModule>;
}

/** Makes a plugin of its definition: checks at load what the backend service relies on. */
export function definePlugin<C>(definition: PluginDefinition<C>): PluginDefinition<C> {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(definition.name)) {
    throw new Error(
      `plugin name "${definition.name}": use lower-case letters, digits and hyphens, 63 at most`,
    );
  }
  for (const module of definition.modules.keys()) {
    if (!module.startsWith(`${definition.name}/`)) {
      throw new Error(`plugin ${definition.name}: its module ${module} must be named ${definition.name}/…`);
    }
  }
  return definition;
}
