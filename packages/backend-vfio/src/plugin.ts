import { definePlugin, scenarioSchema } from '@vhostlab/backend-sdk';
import { controlModule } from './control.ts';
import { planVfio } from './plan.ts';

/** vfio: the guest drives a function of the NIC; the host pins its memory and keeps out of the way. */
export const vfioPlugin = definePlugin({
  name: 'vfio',
  summary: "a function of the NIC in the guest's hands: no copies, no host core, all guest memory pinned",
  configSchema: scenarioSchema,
  capabilities: () => [
    {
      name: 'execution.pipeline',
      support: 'unsupported',
      reason: 'the NIC moves the data, no host core does',
    },
    {
      name: 'memory.pinned',
      support: 'required',
      reason: 'a device cannot wait for a page that is not there',
    },
    { name: 'migration', support: 'unsupported', reason: 'no VFIO_DEVICE_FEATURE_MIGRATION' },
    { name: 'offload.csum', support: 'offered' },
    { name: 'offload.switching', support: 'offered' },
    { name: 'offload.tso', support: 'offered' },
    { name: 'rings.in-order', support: 'offered' },
    { name: 'rings.packed', support: 'offered' },
    { name: 'rings.split', support: 'offered' },
  ],
  plan: planVfio,
  modules: new Map([['vfio/control', controlModule]]),
});
