import type { Procedure } from '@vhostlab/engine';
import { CTRL_HEADER_BYTES, type FeatureSet, writeRegister } from '@vhostlab/virtio-net';
import { PackedDriver, ringLayout, SegmentList, SplitDriver, UsedBatch } from '@vhostlab/virtqueue';
import { CONTROL_SIZE, type GuestLayout } from '@vhostlab/workload';
import { accessRegisters, type RegisterPath } from './register-path.ts';

/** Answer of `sendCommand` when the device never completed the command. */
export const NO_ANSWER = -1;

/** Where a control queue is and how it is kicked. */
export interface ControlQueuePlace {
  /** Number of the queue on the device. */
  index: number;
  size: number;
  features: FeatureSet;
  layout: GuestLayout;
  /** Arena offset of guest address 0. */
  base: number;
  notifyOffset: number;
  notifyWidth: number;
  notifyData: number;
}

/**
 * Sends one command (class, command, data) on a fresh control queue and spins for its answer as Linux does (virtio
 * 1.3, 5.1.6.5): the ack byte, or NO_ANSWER after `polls` microseconds.
 */
export function* sendCommand(
  path: RegisterPath,
  place: ControlQueuePlace,
  command: Uint8Array,
  polls: number,
): Procedure<number> {
  const { context, end } = path;
  const { base, layout, features, index, size } = place;
  const isPacked = features.has('RING_PACKED');
  const eventIdx = features.has('EVENT_IDX');
  const ring = ringLayout(isPacked ? 'packed' : 'split', size, eventIdx);
  const queue = new (isPacked ? PackedDriver : SplitDriver)(context.arena, end.publisher, {
    size,
    index,
    descOffset: base + layout.controlRing + ring.desc.offset,
    driverOffset: base + layout.controlRing + ring.driver.offset,
    deviceOffset: base + layout.controlRing + ring.device.offset,
    features: { eventIdx, indirect: false, inOrder: features.has('IN_ORDER') },
  });
  const { u8 } = context.arena;
  const at = layout.controlPage;
  const ack = at + 2048;
  u8.set(command, base + at);
  u8[base + ack] = 0xff;
  const segments = new SegmentList(3);
  segments.push(at, CTRL_HEADER_BYTES, false);
  segments.push(at + CTRL_HEADER_BYTES, command.length - CTRL_HEADER_BYTES, false);
  segments.push(ack, 1, true);
  queue.addChain(segments, 0);
  end.publisher.cover(base + at, command.length);
  end.publisher.cover(base + ack, 1);
  queue.publish();
  yield* accessRegisters(path, writeRegister(place.notifyOffset, place.notifyWidth, place.notifyData));
  const used = new UsedBatch(1);
  for (let poll = 0; poll < polls; poll++) {
    yield context.delay(context.now() + 1_000_000);
    if (queue.popUsed(used, 1) === 1) return u8[base + ack];
    if (queue.violation !== 0) break;
  }
  return NO_ANSWER;
}

/** Entries that the control queue gets from a device that allows `maxSize`. */
export function controlQueueSize(maxSize: number): number {
  return Math.min(CONTROL_SIZE, maxSize);
}
