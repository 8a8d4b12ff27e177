import { type BackendHost, backendHost, type PluginDefinition } from '@vhostlab/backend-sdk';
import { vdpaPlugin } from '@vhostlab/backend-vdpa';
import { vfioPlugin } from '@vhostlab/backend-vfio';
import { vhostNetPlugin } from '@vhostlab/backend-vhost-net';
import { vhostUserPlugin } from '@vhostlab/backend-vhost-user';
import type { ComponentDefinition, Role } from '@vhostlab/contracts';
import type { ModuleRegistry } from '@vhostlab/engine';
import { guestDefinition, guestModules } from '@vhostlab/guest';
import { nicDefinition, nicModules } from '@vhostlab/nic';
import { switchDefinition, switchModules } from '@vhostlab/switch';
import type { ScenarioConfig } from '@vhostlab/workload';

/** The back ends of this build, in the order of tables. A new one is one line here. */
export const PLUGINS: readonly PluginDefinition[] = [vhostNetPlugin, vhostUserPlugin, vfioPlugin, vdpaPlugin];

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
