/**
 * A piece of an address space in 32-bit numbers, as `AddressSpace.windowAt` found it: loops over descriptors, whose
 * addresses come as two 32-bit words, translate with integers alone. Address `(high, low)` lies in the window when `high`
 * is the window's and `(low - window.low) >>> 0` is below `bytes`; that difference added to `offset` is its place in the
 * arena.
 */
export class AddressWindow {
  high = 0;
  low = 0;
  /** Bytes of the window, below 2^32; 0 while there is none. */
  bytes = 0;
  /** Arena offset of its first byte. */
  offset = 0;
  /** `generation` of the address space at that time: when it has moved on, the window is void. */
  generation = -1;
}
