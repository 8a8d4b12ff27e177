import { type GuestRegion, guestMemoryRegions, PAGE_SIZES, type ScenarioConfig } from '@vhostlab/backend-sdk';
import type { ComponentPlan } from '@vhostlab/engine';

/** What a `vfio/control` core is given: plain data. */
export interface VfioControlConfig {
  guest: number;
  /** Window of the guest's memory. */
  window: string;
  /** What is pinned and mapped: guest physical addresses, which are the I/O virtual ones. */
  regions: GuestRegion[];
  /** Page size of the IOMMU's tables. */
  pageBytes: number;
}

/** Cores and channel ends of the vfio back end: one core per guest, which is done before the guest starts. */
export function planVfio(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (let guest = 0; guest < config.guests; guest++) {
    const core = `host.vfio${guest}`;
    const own: VfioControlConfig = {
      guest,
      window: `guest${guest}`,
      regions: guestMemoryRegions(config, guest),
      pageBytes: PAGE_SIZES[config.pages],
    };
    plan.cores.push({
      id: core,
      service: 'backend',
      module: 'vfio/control',
      config: own,
      mode: 'wait',
      account: 'host',
    });
    plan.ends.push({
      channel: `vfio.${guest}`,
      kind: 'control',
      side: 'a',
      core,
      end: 'nic',
      latency: 'syscall',
    });
  }
  return plan;
}
