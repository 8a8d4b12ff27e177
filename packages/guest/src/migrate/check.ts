import type { ConfigFault } from '@vhostlab/contracts';
import { eventsOf, type ScenarioConfig } from '@vhostlab/workload';
import { driverWants } from '../features.ts';
import { shadowProblem } from './shadow-features.ts';

const FIELD = 'events';

/** What keeps the migration of a scenario from being made; nothing when it has none. */
export function checkMigration(config: ScenarioConfig): ConfigFault[] {
  const [event, second] = eventsOf(config, 'migrate');
  if (event === undefined) return [];
  const who = `guest${event.guest} cannot migrate to ${event.to}`;
  const fault = (summary: string): ConfigFault[] => [{ field: FIELD, summary: `${who}: ${summary}` }];
  if (event.guest >= config.guests) return fault(`workload ${config.workload} has no guest${event.guest}.`);
  if (second !== undefined)
    return fault('a guest migrates once in a run; leave the other migration out, or make a lab of it.');
  if (eventsOf(config, 'swap').length > 0)
    return fault('its back end changes in the same run; leave the swap out, or make a lab of it.');
  if (config.workload === 'v2v')
    return fault(
      'the other guest of v2v would stay behind on the bridge of this host; use another workload.',
    );
  if (config.backend === 'vfio') {
    return fault(
      'over vfio the device has no VFIO_DEVICE_FEATURE_MIGRATION; use vhost-net, vhost-user or vdpa, or a NIC whose variant driver (virtio-vfio-pci) has it.',
    );
  }
  if (config.backend !== 'vdpa') return [];
  const problem = shadowProblem(driverWants(config));
  return problem === undefined ? [] : fault(problem);
}
