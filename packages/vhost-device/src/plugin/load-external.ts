import { burstBackend, type PluginDefinition, remoteBurst, z } from '@vhostlab/backend-sdk';
import type { PluginSpec } from './plugin-spec.ts';

/**
 * Makes the plugin of a specification that is no part of this program; undefined when there is none. Throws an Error, one
 * sentence, when it cannot be hosted here.
 */
export async function loadExternal({ external, plugin }: PluginSpec): Promise<PluginDefinition | undefined> {
  if (external === undefined) return undefined;
  if (external.depth === 'burst') {
    // its options were checked against its schema before, and are again by itself
    const { address, name, summary, version } = external;
    const source = { name, summary, version, options: z.looseObject({}) };
    return burstBackend(remoteBurst(source, address, { clock: 'real' }));
  }
  const loaded = (await import(external.module)) as { default: PluginDefinition };
  const definition = loaded.default;
  if (definition.attachesAs !== plugin) {
    throw new Error(
      `plugin ${definition.name} attaches as ${definition.attachesAs}; a real guest needs one that attaches as ${plugin}`,
    );
  }
  return definition;
}
