import type { CoreModule } from '@vhostlab/engine';
import { failoverModule } from './failover/failover-vcpu.ts';
import { migrationModule } from './migrate/migration-core.ts';
import { vcpuModule } from './vcpu.ts';
import { vmmModule } from './vmm.ts';

/** Core modules of the guest service, by name. */
export const guestModules: ReadonlyMap<string, CoreModule> = new Map([
  ['guest/failover', failoverModule],
  ['guest/vcpu', vcpuModule],
  ['guest/migration', migrationModule],
  ['guest/vmm', vmmModule],
]);
