/** What went through one virtqueue of a function since the NIC began, however often its ring was started. */
export interface QueueTotals {
  frames: number;
  bytes: number;
  /** Interrupts that were sent, and used entries for which the driver wanted none. */
  calls: number;
  callsSuppressed: number;
}

export function emptyTotals(): QueueTotals {
  return { frames: 0, bytes: 0, calls: 0, callsSuppressed: 0 };
}
