/** Guest memory is laid out in the workload package, because back ends that pin it need the same numbers. */
export {
  type BufferArea,
  CONTROL_SIZE,
  type FaultBuffer,
  FRAME_OFFSET,
  type GuestLayout,
  type GuestRegion,
  guestLayout,
  longestFrameBytes,
  type PairLayout,
  SEGMENT_BYTES,
  TABLE_ENTRIES,
} from '@vhostlab/workload';
