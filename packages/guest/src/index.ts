export { checkGuest } from './check.ts';
export type { DoorbellKind, VcpuConfig, VmmConfig } from './core-config.ts';
export { guestDefinition } from './definition.ts';
export type { SinkResult } from './frame-sink.ts';
export { guestModules } from './modules.ts';
export { planGuest } from './plan.ts';
