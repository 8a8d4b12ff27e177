import type { FrameMeta, Ps } from '@vhostlab/engine';

/** Whoever waits for room in a `FramePort`. */
export interface FrameSupplier {
  unblock(nowPs: Ps): void;
}

/**
 * Whoever takes frames off a queue of the device. `atPs` is the moment at which the frame's bytes were in the NIC, not
 * after now. `owned`: the bytes are the NIC's own and may be changed; otherwise they are a guest's and are only read.
 */
export interface FramePort {
  /** False: no room, nothing was taken; call `wait` to hear of room. */
  input(offset: number, length: number, meta: FrameMeta, atPs: Ps, owned: boolean): boolean;
  wait(supplier: FrameSupplier): void;
}
