import { type ComponentDefinition, type ConfigFault, commonV1 } from '@vhostlab/contracts';
import type { ScenarioConfig } from '@vhostlab/workload';
import { createSource, PCIE_LINKS } from '@vhostlab/workload';
import { nicModules, planNic } from './plan.ts';

const OFFERED = commonV1.Support.OFFERED;

/** The nic service: a NIC with its functions and eswitch, and the station at the far end of its wire. */
export const nicDefinition: ComponentDefinition<ScenarioConfig> = {
  name: 'nic',
  summary: 'PCIe link, DMA, RSS queues, eswitch, virtio and vDPA functions, and the station on the wire',
  modules: [...nicModules.keys()],
  capabilities: () => [
    { name: 'clock.virtual', support: OFFERED },
    { name: 'function.pf', support: OFFERED },
    { name: 'function.vdpa', support: OFFERED },
    { name: 'function.vfio', support: OFFERED },
  ],
  check: (config): ConfigFault[] => {
    const faults: ConfigFault[] = [];
    if (!PCIE_LINKS.includes(config.nic.pcie)) {
      faults.push({
        field: 'nic.pcie',
        summary: `PCIe link "${config.nic.pcie}" is unknown; use ${PCIE_LINKS.join(', ')}`,
      });
    }
    try {
      const capture = config.capture === undefined ? {} : { capture: Buffer.from(config.capture, 'base64') };
      createSource(config.traffic, capture);
    } catch (error) {
      faults.push({ field: 'traffic', summary: (error as Error).message });
    }
    return faults;
  },
  plan: planNic,
};
