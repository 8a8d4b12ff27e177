export { checkGuest } from './check.ts';
export type { DoorbellKind, VcpuConfig, VmmConfig } from './core-config.ts';
export { guestDefinition } from './definition.ts';
export type { SinkResult } from './frame-sink.ts';
export {
  type BufferArea,
  type FaultBuffer,
  type GuestLayout,
  type GuestRegion,
  guestLayout,
  type PairLayout,
} from './layout.ts';
export { guestModules } from './modules.ts';
export { planGuest } from './plan.ts';
export { type GuestRole, roleOf } from './roles.ts';
