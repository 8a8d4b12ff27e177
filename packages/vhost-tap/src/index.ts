export { createRingObserver } from './observe/ring-observer.ts';
export type { ObserverTotals, RingObserver, RingSample } from './observe/ring-sample.ts';
export {
  DEFAULT_LIMITS,
  type Direction,
  type FrameSink,
  type ObservedMemory,
  type ObserverLimits,
  type RingToObserve,
} from './observe/ring-to-observe.ts';
export {
  type Party,
  RING_RULES,
  type RingRule,
  type RingRuleCode,
  type RingViolation,
} from './observe/rules.ts';
