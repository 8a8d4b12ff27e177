/**
 * Loaded into every thread of a back end: its workers sleep until they are kicked, and do not look at their rings every
 * second besides, as ours do and many others do not. A lost kick then stays lost.
 */
import { Poller } from '@vhostlab/host';

/** How long an idle worker sleeps at most. */
const SLEEP_MS = 1000;
const wait = Poller.prototype.wait;

Poller.prototype.wait = function (this: Poller, timeoutMs: number): number {
  return wait.call(this, timeoutMs === SLEEP_MS ? -1 : timeoutMs);
};
