import { type ComponentDefinition, commonV1 } from '@vhostlab/contracts';
import type { ScenarioConfig } from '@vhostlab/workload';
import { checkGuest } from './check.ts';
import { guestModules } from './modules.ts';
import { planGuest } from './plan.ts';

const OFFERED = commonV1.Support.OFFERED;

/** The guest service: drivers on vCPUs, and the VMM where it emulates the device. */
export const guestDefinition: ComponentDefinition<ScenarioConfig> = {
  name: 'guest',
  summary:
    'virtio-net drivers in poll and interrupt mode on the vCPUs of a guest, and the VMM that emulates its device',
  modules: [...guestModules.keys()],
  capabilities: () => [
    { name: 'clock.virtual', support: OFFERED },
    { name: 'guest.interrupt', support: OFFERED },
    { name: 'guest.poll', support: OFFERED },
    { name: 'offload.csum', support: OFFERED },
    { name: 'offload.mrg', support: OFFERED },
    { name: 'offload.tso', support: OFFERED },
    { name: 'queues', support: OFFERED, limit: 16n },
    { name: 'ring.packed', support: OFFERED },
    { name: 'ring.split', support: OFFERED },
  ],
  check: checkGuest,
  plan: planGuest,
};
