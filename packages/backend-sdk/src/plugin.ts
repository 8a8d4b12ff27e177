import type { commonV1 } from '@vhostlab/contracts';
import type { ComponentPlan, CoreModule } from '@vhostlab/engine';
import type { BackendName, ScenarioConfig } from '@vhostlab/workload';
import { z } from 'zod';

/** One line of what a back end can do, with the reason where it cannot. */
export interface PluginCapability {
  name: string;
  support: 'offered' | 'unsupported' | 'required';
  reason?: string;
  limit?: number;
}

/** What a plugin's author writes: everything that the backend service and the lab know of a device plugin. */
export interface PluginInit<C = ScenarioConfig> {
  /** Name on the command line and in results. */
  name: BackendName | (string & {});
  summary: string;
  /** Version as in semantic versioning; default 0.1.0. */
  version?: string;
  /**
   * The back end in whose place it stands: guest, switch and NIC are joined to it as to that one. Default: its own name,
   * which the four built-in ones have.
   */
  attachesAs?: BackendName;
  /** Configuration that it takes; unknown keys are refused by name. */
  configSchema: z.ZodType<C>;
  /** Options of its own, in the scenario as `plugin.options`; none when absent. */
  options?: z.ZodType;
  /** What it can do with a peer that can do `peer`. */
  capabilities(peer: readonly commonV1.Capability[]): PluginCapability[];
  /** Its cores, windows and channel ends for a configuration. */
  plan(config: C): ComponentPlan;
  /** Modules of its cores. */
  modules: ReadonlyMap<string, CoreModule>;
}

/** What a device plugin is. */
export interface PluginDefinition<C = ScenarioConfig> extends PluginInit<C> {
  readonly depth: 'device';
  readonly version: string;
  readonly attachesAs: BackendName;
  /** JSON Schema of its options. */
  readonly optionsSchemaJson: string;
}

/** Names of plugins: those of packages, files and core modules begin with them. */
export const PLUGIN_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** Makes a device plugin of what its author wrote: checks at load what the backend service relies on. */
export function definePlugin<C>(init: PluginInit<C>): PluginDefinition<C> {
  const { name, version = '0.1.0', attachesAs = name as BackendName } = init;
  checkName(name);
  for (const module of init.modules.keys()) {
    if (!module.startsWith(`${name}/`)) {
      throw new Error(`plugin ${name}: its module ${module} must be named ${name}/…`);
    }
  }
  const optionsSchemaJson = schemaJson(init.options ?? z.strictObject({}));
  return { ...init, depth: 'device', version, attachesAs, optionsSchemaJson };
}

/** Throws when a plugin cannot be named so. */
export function checkName(name: string): void {
  if (!PLUGIN_NAME.test(name)) {
    throw new Error(`plugin name "${name}": use lower-case letters, digits and hyphens, 63 at most`);
  }
}

/** A schema as JSON Schema, for people and for hosts in other languages. */
export function schemaJson(schema: z.ZodType): string {
  return JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
}

/** Numbers of a version such as 1.2.3; what is no number is 0. */
export function versionOf(text: string): { major: number; minor: number; patch: number } {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return { major, minor, patch };
}
