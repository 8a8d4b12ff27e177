import type { RingLayout } from '@vhostlab/virtqueue';

/** Where the device area of a ring begins, from the ring's first byte: on a boundary of `align` bytes, if there is one. */
export function deviceOffset(ring: RingLayout, align = 1): number {
  return Math.ceil(ring.device.offset / align) * align;
}
