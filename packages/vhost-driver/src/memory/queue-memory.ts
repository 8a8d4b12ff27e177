import { ringLayout } from '@vhostlab/virtqueue';
import type { Settings } from '../options.ts';
import type { BufferPlan, PairPlan, QueuePlan } from '../worker/plan.ts';
import type { GuestMemory } from './guest-memory.ts';

const LINE = 64;
/** Room of a buffer for frames of an MTU of 1500, and of one that takes part in merging. */
const PLAIN_FRAME_BYTES = 1536;
const MERGE_FRAME_BYTES = 2048;
/** Room for a frame that the device has put together (virtio 1.3, 5.1.6.3.1). */
const GSO_FRAME_BYTES = 65_600;
/** Buffers that forward keeps beside those of one ring, since frames under way hold some. */
const FORWARD_RINGS = 2;

/** Descriptors of an indirect table: header and frame. */
const TABLE_ENTRIES = 2;

/**
 * Places rings and buffers of every queue pair in guest memory: rings in the first region, buffers in all of them in
 * turn. `longestFrame` is what the workload sends. Throws a FrontendError when the memory is too small.
 */
export function planPairs(memory: GuestMemory, settings: Settings, longestFrame: number): PairPlan[] {
  const { queues, queueSize, workload, features } = settings;
  const plainBytes = Math.max(PLAIN_FRAME_BYTES, longestFrame);
  const wholeBytes = features.tso ? Math.max(GSO_FRAME_BYTES, plainBytes) : plainBytes;
  const rxBytes = features.mrgRxbuf ? MERGE_FRAME_BYTES : wholeBytes;
  const isForward = workload.kind === 'forward';
  return Array.from({ length: queues }, (_, pair) => ({
    rx: planQueue(memory, settings, 2 * pair),
    tx: planQueue(memory, settings, 2 * pair + 1),
    rxBuffers: planBuffers(memory, isForward ? FORWARD_RINGS * queueSize : queueSize, rxBytes),
    txBuffers: planBuffers(memory, isForward ? 0 : queueSize, Math.max(LINE, longestFrame)),
  }));
}

/** Places one ring; its event words have room whether they are negotiated or not. */
function planQueue(memory: GuestMemory, settings: Settings, index: number): QueuePlan {
  const { ring: format, queueSize: size } = settings;
  const layout = ringLayout(format, size, true);
  const place = {
    descOffset: memory.alloc(layout.desc.bytes, LINE),
    driverOffset: memory.alloc(layout.driver.bytes, LINE),
    deviceOffset: memory.alloc(layout.device.bytes, LINE),
  };
  // what follows shares no cache line with the ring
  memory.alloc(LINE, LINE);
  if (settings.txLayout !== 'indirect' || index % 2 === 0) return { index, format, size, ...place };
  const offset = memory.alloc(size * TABLE_ENTRIES * 16, LINE);
  const tables = { offset, address: memory.gpaOf(offset), entries: TABLE_ENTRIES };
  return { index, format, size, ...place, tables };
}

/** Buffers of a line for the header and `frameBytes` of frame, at a distance of an odd number of lines. */
function planBuffers(memory: GuestMemory, count: number, frameBytes: number): BufferPlan {
  const lines = 1 + Math.ceil(frameBytes / LINE);
  const strideBytes = (lines | 1) * LINE;
  const regions = memory.regions.length;
  const each = Math.ceil(count / regions);
  const areas = memory.regions.map((_, region) => {
    const offset = memory.alloc(each * strideBytes, LINE, region);
    return { offset, gpa: memory.gpaOf(offset) };
  });
  return { count, strideBytes, frameAt: LINE, frameBytes, areas };
}
