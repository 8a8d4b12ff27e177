import type { Arena, Publisher } from '@vhostlab/memory';
import type { RingPlace } from './driver-queue.ts';
import { type RingFormat, ringLayout } from './ring-layout.ts';

/** Zeroes the areas of a queue and makes the zeroes visible to the device, as after a queue reset. */
export function clearRing(arena: Arena, publisher: Publisher, format: RingFormat, place: RingPlace): void {
  const layout = ringLayout(format, place.size, place.features.eventIdx);
  for (const name of ['desc', 'driver', 'device'] as const) {
    const offset = place[`${name}Offset`];
    arena.u8.fill(0, offset, offset + layout[name].bytes);
    publisher.cover(offset, layout[name].bytes);
  }
  if (format === 'split') publisher.u16(place.driverOffset + 2, 0);
  else publisher.u32(place.driverOffset, 0);
}
