import type { ComponentPlan } from '@vhostlab/engine';
import type { ScenarioConfig } from '@vhostlab/workload';
import type { HandlerConfig, HandlerDatapath, HandlerPort } from './handler.ts';

/** Number of the bridge's port to the wire, and of the first guest's. */
const WIRE_PORT = 1;
const FIRST_GUEST_PORT = 10;

/** Cores of other services that host a datapath of the bridge. */
function datapathCores(config: ScenarioConfig): { core: string; kind: HandlerDatapath['kind'] }[] {
  const pairs = Array.from({ length: config.queues }, (_, pair) => pair);
  switch (config.backend) {
    case 'vhost-user':
      return pairs.map((pair) => ({ core: `host.pmd${pair}`, kind: 'userspace' }));
    case 'vhost-net': {
      const workers = Array.from({ length: config.guests }, (_, guest) =>
        pairs.map((pair) => ({ core: `host.vhost${guest}.${pair}`, kind: 'kernel' as const })),
      ).flat();
      const softirqs = pairs.map((pair) => ({ core: `host.softirq${pair}`, kind: 'kernel' as const }));
      return config.workload === 'v2v' ? workers : [...workers, ...softirqs];
    }
    default:
      return [{ core: 'nic0', kind: 'offloaded' }];
  }
}

/** The switch service's core and its control channels to every datapath of the bridge. */
export function planSwitch(config: ScenarioConfig): ComponentPlan {
  const core = 'switch.handler';
  const datapaths = datapathCores(config);
  const ports: HandlerPort[] = [{ name: 'wire', number: WIRE_PORT }];
  for (let guest = 0; guest < config.guests; guest++) {
    ports.push({ name: `guest${guest}`, number: FIRST_GUEST_PORT + guest });
  }
  const handler: HandlerConfig = {
    ports,
    datapaths: datapaths.map(({ core: host, kind }) => ({ end: `upcall.${host}`, kind })),
    flows: config.flows,
  };
  return {
    cores: [
      {
        id: core,
        service: 'switch',
        module: 'switch/handler',
        config: handler,
        mode: 'wait',
        account: 'host',
      },
    ],
    windows: [],
    ends: datapaths.map(({ core: host }) => ({
      channel: `upcall.${host}`,
      kind: 'control',
      side: 'b',
      core,
      end: `upcall.${host}`,
      latency: 'netlink',
    })),
  };
}
