export { FrontendError } from './errors.ts';
export { GuestMemory, type GuestRegion } from './memory/guest-memory.ts';
export type {
  FeatureWishes,
  FrontendEvent,
  FrontendOptions,
  RingRestart,
  TxLayout,
  Workload,
} from './options.ts';
export { COUNTER_NAMES, type CounterName, type QueueCounters } from './worker/counters.ts';
