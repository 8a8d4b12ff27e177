import type { ProcessHandle } from '../run/coordinate.ts';

/** A link on which something was sent that has not arrived. */
export interface CutLink {
  /** Names of processes. */
  from: string;
  to: string;
}

/**
 * Finds the links that hold a run which stands still: all processes are asked what they have sent and received on every
 * channel, and what was sent must have arrived. One that does not answer within `timeoutMs` is left out.
 */
export async function cutLinks(processes: readonly ProcessHandle[], timeoutMs: number): Promise<CutLink[]> {
  const asked = await Promise.all(
    processes.map(async ({ name, runtime }) => {
      try {
        const { inbound, outbound } = await runtime.collect({}, { timeoutMs });
        const received = new Map(inbound.map(({ channel, batches }) => [channel, batches]));
        return { name, received, outbound };
      } catch {
        return undefined;
      }
    }),
  );
  const answered = asked.filter((each) => each !== undefined);
  const found = new Map<string, CutLink>();
  for (const from of answered) {
    for (const { channel, batches } of from.outbound) {
      const to = answered.find((other) => other !== from && other.received.has(channel));
      if (to === undefined || (to.received.get(channel) ?? 0n) >= batches) continue;
      found.set(`${from.name} ${to.name}`, { from: from.name, to: to.name });
    }
  }
  return [...found.values()];
}
