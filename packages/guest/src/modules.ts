import type { CoreModule } from '@vhostlab/engine';
import { migrationModule } from './migrate/migration-core.ts';
import { vcpuModule } from './vcpu.ts';
import { vmmModule } from './vmm.ts';

/** Core modules of the guest service, by name. */
export const guestModules: ReadonlyMap<string, CoreModule> = new Map([
  ['guest/vcpu', vcpuModule],
  ['guest/migration', migrationModule],
  ['guest/vmm', vmmModule],
]);
