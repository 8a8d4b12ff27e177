import { monotonicMs, sleep } from '@vhostlab/host';

/** Looks until something holds or `timeoutMs` have passed; true when it does. Other work goes on between two looks. */
export async function until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const end = monotonicMs() + timeoutMs;
  for (let looks = 0; ; looks++) {
    if (holds()) return true;
    if (monotonicMs() >= end) return false;
    if (looks < 20) await new Promise((resolve) => setImmediate(resolve));
    else await sleep(1);
  }
}
