import { definePlugin, scenarioSchema } from '@vhostlab/backend-sdk';
import { vdpaCapabilities } from './capabilities.ts';
import { controlModule } from './control.ts';
import { planVdpa } from './plan.ts';

/** vdpa: the NIC works on the guest's rings; the VMM emulates the device's registers and drives it by vhost-vdpa. */
export const vdpaPlugin = definePlugin({
  name: 'vdpa',
  summary: "the NIC works on the guest's virtqueues; control goes through the VMM and vhost-vdpa",
  configSchema: scenarioSchema,
  capabilities: vdpaCapabilities,
  plan: planVdpa,
  modules: new Map([['vdpa/control', controlModule]]),
});
