import type { PluginDefinition } from '@vhostlab/backend-sdk';
import type { Role } from '@vhostlab/contracts';
import type { Service } from './host-parts.ts';
import type { Part } from './parts.ts';

/**
 * Loads what `part` is made of and nothing else: a process starts in half the time. `plugins`: back ends in place of the
 * built-in ones, or besides them.
 */
export async function loadService(
  part: Part,
  plugins?: { definitions: readonly PluginDefinition[]; withBuiltIn: boolean },
): Promise<Partial<Record<Role, Service>>> {
  switch (part) {
    case 'guest': {
      const { guestDefinition, guestModules } = await import('@vhostlab/guest');
      return { guest: { definition: guestDefinition, modules: guestModules } };
    }
    case 'switch': {
      const { switchDefinition, switchModules } = await import('@vhostlab/switch');
      return { switch: { definition: switchDefinition, modules: switchModules } };
    }
    case 'nic':
    case 'station': {
      const { nicDefinition, nicModules } = await import('@vhostlab/nic');
      return { nic: { definition: nicDefinition, modules: nicModules } };
    }
    case 'backend': {
      const { backendHost } = await import('@vhostlab/backend-sdk');
      const builtIn =
        plugins === undefined || plugins.withBuiltIn ? (await import('./built-in-plugins.ts')).PLUGINS : [];
      return { backend: backendHost([...builtIn, ...(plugins?.definitions ?? [])]) };
    }
  }
}
