import { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from './constants.ts';
import type { DriverPlace } from './driver-queue.ts';
import type { SegmentList } from './segment-list.ts';

const PER_HIGH_WORD = 2 ** -32;

/** Throws when the queue cannot hold `segments` in an indirect table. */
export function checkIndirect(place: DriverPlace, segments: SegmentList): void {
  const tables = place.tables;
  if (!place.features.indirect || tables === undefined) {
    throw new Error(
      `queue ${place.index} has no indirect tables: negotiate VIRTIO_F_INDIRECT_DESC and pass tables`,
    );
  }
  if (segments.count > tables.entries) {
    throw new RangeError(
      `a buffer of ${segments.count} segments does not go into a table of ${tables.entries}`,
    );
  }
}

/**
 * Writes an indirect table at arena offset `table`: entries linked in sequence on a split ring (virtio 1.3, 2.7.5.3,
 * also what VIRTIO_F_IN_ORDER asks for), WRITE alone on a packed one (2.8.7).
 */
export function writeIndirectTable(
  u32: Uint32Array,
  table: number,
  segments: SegmentList,
  linked: boolean,
): void {
  const count = segments.count;
  let w = table >>> 2;
  for (let i = 0; i < count; i++) {
    const address = segments.address[i];
    const write = segments.writable[i] === 1 ? VIRTQ_DESC_F_WRITE : 0;
    u32[w] = address;
    u32[w + 1] = address * PER_HIGH_WORD;
    u32[w + 2] = segments.length[i];
    if (!linked) u32[w + 3] = write << 16;
    else u32[w + 3] = i + 1 === count ? write : write | VIRTQ_DESC_F_NEXT | ((i + 1) << 16);
    w += 4;
  }
}
