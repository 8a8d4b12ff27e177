export * from './api.ts';
export {
  assemble,
  type ComponentPlan,
  type EndPlan,
  LATENCY_CLASSES,
  type LatencyClass,
} from './component.ts';
export type { CoreStatistics } from './core.ts';
export { emptyFrameMeta } from './link-end.ts';
export { NO_PACKET, RECORD, RECORD_BYTES, RECORD_EVENT, RECORD_NOTE, RECORD_RUN } from './log-format.ts';
export type { CompiledProfile } from './meter.ts';
export { OPS, type OpCounter, type OpDefinition } from './ops.ts';
export { createRandom, hashName } from './random.ts';
export { EdgeLinkEnd, type FramePort } from './real/edge-link-end.ts';
export { RealCore, type RealCoreStatistics } from './real/real-core.ts';
export { RealThread, type ThreadSurroundings } from './real/real-thread.ts';
export type { LogSink } from './recorder.ts';
export { type ModuleRegistry, type OutgoingBatch, type RuntimeOptions, VirtualRuntime } from './runtime.ts';
export { TimeBounds } from './time-bounds.ts';
export type { CoreTimeline } from './timeline.ts';
