import { definePlugin, scenarioSchema } from '@vhostlab/backend-sdk';
import { planVhostNet } from './plan.ts';
import { softirqModule } from './softirq.ts';
import { workerModule } from './worker.ts';

/** vhost-net: a kernel worker per queue pair copies between guest and skb; tap and the kernel datapath do the rest. */
export const vhostNetPlugin = definePlugin({
  name: 'vhost-net',
  summary: 'kernel worker per queue pair, one copy per direction, tap and the kernel datapath',
  configSchema: scenarioSchema,
  capabilities: () => [
    {
      name: 'execution.pipeline',
      support: 'unsupported',
      reason: 'a worker hands frames to tap in its own context',
    },
    { name: 'execution.rtc', support: 'offered' },
    { name: 'migration', support: 'offered', reason: 'dirty log of the worker' },
    { name: 'offload.csum', support: 'offered' },
    { name: 'offload.switching', support: 'unsupported', reason: 'the kernel datapath switches' },
    { name: 'offload.tso', support: 'offered' },
    {
      name: 'rings.in-order',
      support: 'unsupported',
      reason: 'the vhost-net driver does not offer VIRTIO_F_IN_ORDER',
    },
    { name: 'rings.packed', support: 'unsupported', reason: 'the vhost-net driver knows split rings only' },
    { name: 'rings.split', support: 'offered' },
  ],
  plan: planVhostNet,
  modules: new Map([
    ['vhost-net/softirq', softirqModule],
    ['vhost-net/worker', workerModule],
  ]),
});
