import type { PluginDefinition } from '@vhostlab/backend-sdk';
import { vdpaPlugin } from '@vhostlab/backend-vdpa';
import { vfioPlugin } from '@vhostlab/backend-vfio';
import { vhostNetPlugin } from '@vhostlab/backend-vhost-net';
import { vhostUserPlugin } from '@vhostlab/backend-vhost-user';

/** The back ends of this build, in the order of tables. A new one is one line here. */
export const PLUGINS: readonly PluginDefinition[] = [vhostNetPlugin, vhostUserPlugin, vfioPlugin, vdpaPlugin];
