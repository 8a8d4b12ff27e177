import { distance, type QueueLook, type QueueMoment } from './queue-look.ts';

const NO_NOTIFY = 1;
const PACKED_DISABLE = 1;
const PACKED_DESC = 2;

/**
 * True when the available index has passed the point from which on the device wants to be kicked, by its flags or
 * avail_event (virtio 1.3, 2.7.10, 2.8.14).
 */
export function isKickDue(look: QueueLook, { deviceFlags, deviceEvent, used, avail }: QueueMoment): boolean {
  return isDue(look, deviceFlags, deviceEvent, used, avail);
}

/** True when the driver wants calls at all, as far as its flags tell. Without EVENT_IDX they tell everything. */
export function wantsCalls(look: QueueLook, { driverFlags }: QueueMoment): boolean {
  if (look.format === 'packed') return driverFlags !== PACKED_DISABLE;
  return look.hasEvents || (driverFlags & NO_NOTIFY) === 0;
}

/**
 * With EVENT_IDX: how far the used index is beyond the point where the driver asked to be called; 0: not there yet, or
 * the event word is a leftover. A driver that sleeps has put its own place there, and that is never more than the size
 * of the queue behind the available index.
 */
export function untaken(look: QueueLook, { driverFlags, driverEvent, used, avail }: QueueMoment): number {
  if (!look.hasEvents) return 0;
  if (look.format === 'packed') {
    if (driverFlags !== PACKED_DESC) return 0;
    const count = distance(look, driverEvent, used);
    return count <= look.size ? count : 0;
  }
  if (distance(look, driverEvent, avail) > look.size) return 0;
  const count = distance(look, driverEvent, used);
  return count <= look.size ? count : 0;
}

/** A side has gone from place `from` to `to`: whether the other one wanted to hear of it, by its words. */
function isDue(look: QueueLook, flags: number, event: number, from: number, to: number): boolean {
  const count = distance(look, from, to);
  if (count === 0) return false;
  if (look.format === 'packed') {
    if (flags === PACKED_DISABLE) return false;
    if (flags !== PACKED_DESC || !look.hasEvents) return true;
    return distance(look, from, event) < count;
  }
  if (!look.hasEvents) return (flags & NO_NOTIFY) === 0;
  return distance(look, from, event) < count;
}
