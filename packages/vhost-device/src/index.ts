export type { RegionPlace, RingStart, WorkerCommand, WorkerNote } from './control/commands.ts';
export { DeviceConfigSpace } from './control/config-space.ts';
export { RealDevice } from './control/device.ts';
export { WorkerPool } from './control/worker-pool.ts';
export { ArenaMapper } from './memory/arena-mapper.ts';
export { OffsetAllocator } from './memory/offset-allocator.ts';
