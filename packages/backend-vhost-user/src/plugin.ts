import { definePlugin, scenarioSchema } from '@vhostlab/backend-sdk';
import { lcoreModule } from './lcore.ts';
import { planVhostUser } from './plan.ts';
import { pmdModule } from './pmd.ts';

/** vhost-user: a poll-mode core of a user-space switch moves the data. */
export const vhostUserPlugin = definePlugin({
  name: 'vhost-user',
  summary: 'poll-mode core in the user-space switch, one copy per port and direction',
  configSchema: scenarioSchema,
  capabilities: () => [
    { name: 'rings.split', support: 'offered' },
    { name: 'rings.packed', support: 'offered' },
    { name: 'execution.rtc', support: 'offered' },
    { name: 'execution.pipeline', support: 'offered', reason: 'not how OVS-DPDK works' },
    { name: 'migration', support: 'offered', reason: 'dirty log in shared memory' },
    { name: 'offload.switching', support: 'unsupported', reason: 'the user-space datapath switches' },
  ],
  plan: planVhostUser,
  modules: new Map([
    ['vhost-user/pmd', pmdModule],
    ['vhost-user/lcore', lcoreModule],
  ]),
});
