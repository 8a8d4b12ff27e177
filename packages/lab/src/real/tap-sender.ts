import { threadInbox, writeBytes } from '@vhostlab/host';

/** What the thread is given: a raw socket that stays the other side's, and the frames that it sends in turn. */
export interface TapSenderPlan {
  readonly socketNumber: number;
  readonly frames: readonly Uint8Array[];
}

/** Sends frames as fast as the kernel takes them, one system call each, until the thread is stopped. */
const { socketNumber, frames } = threadInbox().data as TapSenderPlan;
const socket = { number: socketNumber };
for (;;) {
  // what the tap has no room for is lost, as on a wire
  for (const frame of frames) writeBytes(socket, frame);
}
