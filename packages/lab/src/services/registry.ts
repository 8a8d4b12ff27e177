import { type BackendHost, backendHost } from '@vhostlab/backend-sdk';
import type { ComponentDefinition, Role } from '@vhostlab/contracts';
import type { ModuleRegistry } from '@vhostlab/engine';
import { guestDefinition, guestModules } from '@vhostlab/guest';
import { nicDefinition, nicModules } from '@vhostlab/nic';
import { switchDefinition, switchModules } from '@vhostlab/switch';
import type { ScenarioConfig } from '@vhostlab/workload';
import { PLUGINS } from './built-in-plugins.ts';

export { PLUGINS };

const backend: BackendHost = backendHost(PLUGINS);

/** What each of the four services is made of. */
export const SERVICES: Readonly<
  Record<Role, { definition: ComponentDefinition<ScenarioConfig>; modules: ModuleRegistry }>
> = {
  guest: { definition: guestDefinition, modules: guestModules },
  backend,
  switch: { definition: switchDefinition, modules: switchModules },
  nic: { definition: nicDefinition, modules: nicModules },
};

export { ROLES } from './parts.ts';
