import type { ScenarioConfig } from '@vhostlab/backend-sdk';
import type { ComponentPlan } from '@vhostlab/engine';

/** What a `vdpa/control` core is given: plain data. */
export interface VdpaControlConfig {
  guest: number;
}

/** Cores and channel ends of the vdpa back end: one vhost-vdpa device per guest, for all of its queue pairs. */
export function planVdpa(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (let guest = 0; guest < config.guests; guest++) {
    const core = `host.vdpa${guest}`;
    const own: VdpaControlConfig = { guest };
    plan.cores.push({
      id: core,
      service: 'backend',
      module: 'vdpa/control',
      config: own,
      mode: 'wait',
      account: 'host',
    });
    const requests = `vhost.${guest}.0`;
    plan.ends.push(
      { channel: requests, kind: 'control', side: 'b', core, end: requests, latency: 'syscall' },
      { channel: `vdpa.${guest}`, kind: 'control', side: 'a', core, end: 'nic', latency: 'syscall' },
    );
  }
  return plan;
}
