export { type ArrivalGap, ArrivalGaps } from './arrival-gaps.ts';
export { ArrivalOrder, type OrderReport, orderedStreams } from './arrival-order.ts';
export { BACKENDS, type BackendName, type Offloads } from './backends.ts';
export type { Endpoints } from './endpoints.ts';
export { DEFAULT_ENDPOINTS } from './endpoints.ts';
export { DueEvents, type EventContext, TAKEN_PREFIX } from './events/due-events.ts';
export { type LinkEvent, type LinkSettings, linkSettingsText } from './events/link-event.ts';
export {
  arrivalWindow,
  MIGRATION_DEFAULTS,
  type MigrateEvent,
  type MigrationSkip,
  migrationOf,
  shadowChannel,
} from './events/migrate-event.ts';
export {
  type EventOf,
  eventsOf,
  eventText,
  type NumberedEvent,
  type ScenarioEvent,
} from './events/scenario-event.ts';
export type { SwapEvent } from './events/swap-event.ts';
export {
  FAILOVER_DEVICES,
  type FailoverDeviceName,
  type FailoverLayout,
  failoverLayout,
} from './failover-memory.ts';
export { destinationHostOf, destinationPortOf, MAX_FLOWS, sourceHostOf, sourcePortOf } from './flows.ts';
export { combineFrameHashes, FrameHasher, hashSource } from './frame-hasher.ts';
export { MAX_FRAME_SIZE_BYTES, MIN_FRAME_SIZE_BYTES, parseFrameSizes } from './frame-sizes.ts';
export type { FrameOffload, FrameSource } from './frame-source.ts';
export {
  type BufferArea,
  CONTROL_SIZE,
  type FaultBuffer,
  FRAME_OFFSET,
  type GuestLayout,
  type GuestRegion,
  guestLayout,
  guestMemoryRegions,
  guestWindowBytes,
  type PairLayout,
  SEGMENT_BYTES,
  TABLE_ENTRIES,
} from './guest-memory.ts';
export { type GuestRole, roleOf, sendsFrames } from './guest-roles.ts';
export {
  METHOD_QUIESCE,
  ROUTE_OPENED,
  ROUTE_TO,
  STEER_FLUSH,
  STEER_HOLD,
  STEER_TO,
} from './instance-methods.ts';
export {
  type BackendInstance,
  backendInstances,
  changesBackend,
  deviceWindow,
  usesFailover,
} from './instances.ts';
export { LEARNING_GAP_PS, LEARNING_PACKET, learningFrames, MAX_LEARNING_FRAMES } from './learning-frames.ts';
export {
  FCS_BYTES,
  frameBytesWithFcs,
  frameGbps,
  lineRatePps,
  MIN_WIRE_FRAME_BYTES,
  WIRE_OVERHEAD_BYTES,
  wireBytes,
} from './line-rate.ts';
export { longestFrameBytes } from './longest-frame.ts';
export type { Mix } from './mixes.ts';
export { formatGenome, NAMED_MIXES, parseGenome, RFC2544_SIZES } from './mixes.ts';
export type { TemplateShape } from './network-layers.ts';
export type { Arrival, Pacer } from './pacer.ts';
export { createPacer } from './pacer.ts';
export type { PcapReplay } from './pcap-source.ts';
export { PcapSource } from './pcap-source.ts';
export { Prng } from './prng.ts';
export type { Rate } from './rate.ts';
export { parseRate } from './rate.ts';
export { readSequence, reflect, swapMacs } from './reply.ts';
export {
  PAGE_SIZES,
  type PacketFault,
  type PageSize,
  PCIE_LINKS,
  type PcieLink,
  type ScenarioConfig,
  WITHOUT_FEATURES,
  type WithoutFeature,
} from './scenario.ts';
export type { Sharing } from './sharing.ts';
export type { TcpStream } from './tcp-stream-source.ts';
export { DEFAULT_MSS_BYTES, TcpStreamSource } from './tcp-stream-source.ts';
export type { SourceOptions, TrafficSpec } from './traffic-spec.ts';
export { createSource } from './traffic-spec.ts';
export type { UdpStream } from './udp-source.ts';
export { UdpSource } from './udp-source.ts';
export { SEQUENCE_BYTES } from './udp-template.ts';
export { VERIFY_MAX_BYTES, VERIFY_MIN_BYTES, VERIFY_STAMPED_MIN_BYTES } from './verify/frame-format.ts';
export { LatencyStamp } from './verify/latency-stamp.ts';
export {
  VERIFY_BEYOND,
  VERIFY_CORRUPTED,
  VERIFY_DUPLICATED,
  VERIFY_FOREIGN,
  VERIFY_IN_ORDER,
  VERIFY_REORDERED,
  VerifyChecker,
  type VerifyCheckerOptions,
} from './verify/verify-checker.ts';
export {
  flowCounts,
  mergeTallies,
  totalCounts,
  type VerifyCounts,
  type VerifyTally,
} from './verify/verify-counts.ts';
export {
  createVerifySource,
  type VerifySizes,
  VerifySource,
  type VerifySourceOptions,
  type VerifyStream,
} from './verify/verify-source.ts';
export type { Workload, WorkloadName } from './workloads.ts';
export { listWorkloads } from './workloads.ts';
