export { FrontendError } from './errors.ts';
export {
  DROP_COUNTERS,
  dropsOf,
  type FrontendFigures,
  type LatencyFigures,
  type QueueFigures,
} from './figures.ts';
export { startFrontend } from './frontend.ts';
export type { Frontend, FrontendEnd, FrontendResult } from './frontend-api.ts';
export { vhostNetProblem } from './kernel/kernel-backend.ts';
export { GuestMemory, type GuestRegion } from './memory/guest-memory.ts';
export type {
  FeatureWishes,
  FrontendEvent,
  FrontendOptions,
  RingRestart,
  TxLayout,
  Workload,
} from './options.ts';
export { type RawDescriptor, RawRing } from './raw-ring.ts';
export type { AppReport } from './worker/app.ts';
export { COUNTER_NAMES, type CounterName, type QueueCounters } from './worker/counters.ts';
export type { QueuePlan } from './worker/plan.ts';
