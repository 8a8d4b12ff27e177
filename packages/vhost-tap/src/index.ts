export {
  type AttachOptions,
  type AttachReport,
  attach,
  checkAttachOptions,
  DEFAULT_INTERVAL_MS,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  type QueueReport,
} from './attach/attach.ts';
export { placeText, type QueueLook, type QueueMoment } from './attach/queue-look.ts';
export { AttachError } from './attach/queue-source.ts';
export { type Culprit, judge, VERDICT_KINDS, type Verdict, type VerdictKind } from './attach/verdict.ts';
export { FlowChecker, type FlowResult } from './flow/flow-checker.ts';
export { FLOW_RULES, type FlowRuleCode, type FlowViolation, type Sender } from './flow/rules.ts';
export { type InjectRule, parseInjectRule } from './inject/rule.ts';
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
export { type BodyLine, RecordError, readRecord, type TapRecord } from './record/record-reader.ts';
export {
  checkReplayOptions,
  DEFAULT_REPLAY_OPTIONS,
  type ReplayOptions,
} from './replay/options.ts';
export type { Difference, PlayedCounts } from './replay/outcome.ts';
export {
  ReplayError,
  type ReplayedDifference,
  type ReplayedViolation,
  type ReplaySummary,
  replay,
} from './replay/replay.ts';
export { HEADER_RULE } from './replay/ring-rules.ts';
export { checkTapOptions, DEFAULT_TAP_OPTIONS, MAX_SAMPLE_HZ, type TapOptions } from './tap/options.ts';
export type { RingTotals } from './tap/ring-set.ts';
export { startTap, type Tap, type TapSummary } from './tap/tap.ts';
export type { ViolationCount } from './tap/violation-counts.ts';
