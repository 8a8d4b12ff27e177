export type { Translator } from './chain-batch.ts';
export { ChainBatch } from './chain-batch.ts';
export {
  DESC_BYTES,
  MAX_CHAIN_BYTES,
  MAX_QUEUE_SIZE,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
} from './constants.ts';
export type { DeviceCounters, DeviceQueue } from './device-queue.ts';
export { DirectPublisher } from './direct-publisher.ts';
export type {
  DriverPlace,
  DriverQueue,
  IndirectTables,
  OutstandingBuffer,
  RingFeatures,
  RingPlace,
} from './driver-queue.ts';
export { needEvent, notificationData } from './need-event.ts';
export { PackedDevice } from './packed-device.ts';
export { PackedDriver } from './packed-driver.ts';
export { PackedPlain } from './packed-plain.ts';
export { PlainBurst, type PlainRing, type PlainRules } from './plain-burst.ts';
export type { AreaOffsets, RingArea, RingFormat, RingLayout } from './ring-layout.ts';
export { queueSizeProblem, ringLayout, ringPlaceProblem } from './ring-layout.ts';
export { SegmentList } from './segment-list.ts';
export { ShadowQueue, type ShadowSides } from './shadow-queue.ts';
export { SplitDevice } from './split-device.ts';
export { SplitDriver } from './split-driver.ts';
export { SplitPlain } from './split-plain.ts';
export { UsedBatch } from './used-batch.ts';
export {
  CHAIN_OK,
  CHAIN_READ_AFTER_WRITE,
  CHAIN_SEGMENTS,
  VIOLATION_AVAIL_JUMP,
  VIOLATION_BUFFER_BUSY,
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_CHAIN_TORN,
  VIOLATION_HEAD_RANGE,
  VIOLATION_ID_RANGE,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_LENGTH,
  VIOLATION_INDIRECT_NESTED,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NEXT_RANGE,
  VIOLATION_NONE,
  VIOLATION_USED_ID,
  VIOLATION_USED_JUMP,
  VIOLATION_USED_LENGTH,
  violationName,
} from './violations.ts';
