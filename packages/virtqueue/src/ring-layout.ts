import { DESC_BYTES, MAX_QUEUE_SIZE } from './constants.ts';

export type RingFormat = 'split' | 'packed';

/** One of the three areas of a virtqueue. */
export interface RingArea {
  /** Bytes from the start of the ring when the areas are laid out one after the other. */
  readonly offset: number;
  readonly bytes: number;
  readonly align: number;
}

/** Sizes of a virtqueue's areas, and one placement of them in `bytes` contiguous bytes aligned to `align`. */
export interface RingLayout {
  readonly format: RingFormat;
  readonly size: number;
  readonly desc: RingArea;
  readonly driver: RingArea;
  readonly device: RingArea;
  readonly bytes: number;
  readonly align: number;
}

/** One sentence that says why `size` is no queue size of this format, or undefined when it is one. */
export function queueSizeProblem(format: RingFormat, size: number): string | undefined {
  if (!Number.isInteger(size) || size < 1 || size > MAX_QUEUE_SIZE) {
    const from = format === 'split' ? 2 : 1;
    return `queue size ${size} is not between ${from} and ${MAX_QUEUE_SIZE}; choose one that is.`;
  }
  if (format === 'split' && (size < 2 || (size & (size - 1)) !== 0)) {
    return `queue size ${size} is not a power of two from 2 to ${MAX_QUEUE_SIZE} as a split ring needs; choose one, or a packed ring.`;
  }
  return undefined;
}

/**
 * Sizes, alignments and a contiguous placement of the descriptor, driver and device areas (virtio 1.3, 2.7 and
 * 2.8.10.1). Split: table, available ring, used ring; the event words exist only with `eventIdx`. Packed:
 * descriptor ring and two event structures. Throws a RangeError of one sentence for a size that the format
 * does not have.
 */
export function ringLayout(format: RingFormat, size: number, eventIdx: boolean): RingLayout {
  const problem = queueSizeProblem(format, size);
  if (problem !== undefined) throw new RangeError(problem);
  const eventBytes = eventIdx ? 2 : 0;
  const descBytes = DESC_BYTES * size;
  const driverBytes = format === 'split' ? 4 + 2 * size + eventBytes : 4;
  const deviceBytes = format === 'split' ? 4 + 8 * size + eventBytes : 4;
  const driverAlign = format === 'split' ? 2 : 4;
  const deviceOffset = (descBytes + driverBytes + 3) & ~3;
  return {
    format,
    size,
    desc: { offset: 0, bytes: descBytes, align: 16 },
    driver: { offset: descBytes, bytes: driverBytes, align: driverAlign },
    device: { offset: deviceOffset, bytes: deviceBytes, align: 4 },
    bytes: deviceOffset + deviceBytes,
    align: 16,
  };
}

/** Arena offsets of a queue's areas. */
export interface AreaOffsets {
  readonly descOffset: number;
  readonly driverOffset: number;
  readonly deviceOffset: number;
}

/**
 * One sentence that says why a queue cannot live at these offsets of an arena of `arenaBytes` (size, alignment, end), or
 * undefined when it can. The addresses of a real queue come from a peer: ask before making the queue, which throws.
 */
export function ringPlaceProblem(
  format: RingFormat,
  size: number,
  eventIdx: boolean,
  offsets: AreaOffsets,
  arenaBytes: number,
): string | undefined {
  const problem = queueSizeProblem(format, size);
  if (problem !== undefined) return problem;
  const layout = ringLayout(format, size, eventIdx);
  for (const name of ['desc', 'driver', 'device'] as const) {
    const offset = offsets[`${name}Offset`];
    const { bytes, align } = layout[name];
    if (!Number.isInteger(offset) || offset % align !== 0) {
      return `the ${name} area is at ${offset}; a ${format} ring needs a multiple of ${align}.`;
    }
    if (offset < 0 || offset + bytes > arenaBytes) {
      return `the ${name} area of ${bytes} bytes at ${offset} is outside the memory of ${arenaBytes} bytes.`;
    }
  }
  return undefined;
}

/** Throws a RangeError for a place that `ringPlaceProblem` objects to. */
export function checkPlace(
  format: RingFormat,
  place: AreaOffsets & { readonly size: number; readonly features: { readonly eventIdx: boolean } },
  arenaBytes: number,
): void {
  const problem = ringPlaceProblem(format, place.size, place.features.eventIdx, place, arenaBytes);
  if (problem !== undefined) throw new RangeError(problem);
}
