import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { LinkBench } from './_link-end.ts';
import { median } from './tap.ts';

const CHILD = new URL('./_link-child.ts', import.meta.url).pathname;
/** What the project asks of a link one way. */
const TARGET_PER_S = 400_000;

/** What the child tells at its end. */
interface Taken {
  taken: number;
  cpuUs: number;
  counters: { received_frames: number; received_bursts: number; drop_beyond_credit: number };
}

/**
 * Frames of 64 bytes per second that a link over gRPC carries one way, between two processes on loopback: sent in bursts of
 * 64 as fast as they go, taken as fast as they come. A median is of rounds of some seconds.
 */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' } },
  });
  const child = spawn(process.execPath, [CHILD], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { address } = JSON.parse((await lines.next()).value as string) as { address: string };
  const near = await LinkBench.start('dial', address);
  try {
    while (near.counters.connected === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await sendFor(near, 1000);
    const [framesBefore, cpuBefore] = [near.counters.sent_frames, process.cpuUsage()];
    const rates: number[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const { frames, seconds, bursts } = await sendFor(near, Number(values.seconds) * 1000);
      rates.push(frames / seconds);
      console.log(
        `round ${round + 1}: ${Math.round(frames / seconds)} frames/s one way, ${(frames / bursts).toFixed(0)} per message`,
      );
    }
    // what is under way arrives
    let sent_frames = -1;
    while (sent_frames !== near.counters.sent_frames) {
      ({ sent_frames } = near.counters);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    child.stdin.end();
    const far = JSON.parse((await lines.next()).value as string) as Taken;
    const middle = median(rates);
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpuNs = (frames: number, us: number): string => `${((us * 1000) / frames).toFixed(0)} ns`;
    console.log(
      `processor time per frame: ${cpuNs(sent_frames - framesBefore, user + system)} where it is sent, ${cpuNs(far.taken, far.cpuUs)} where it is taken (start included)`,
    );
    console.log(
      `median ${Math.round(middle)} frames/s (target ${TARGET_PER_S}: ${middle >= TARGET_PER_S ? 'met' : 'missed'}), load ${loadavg()[0].toFixed(1)}; ${sent_frames} sent, ${far.counters.received_frames} received, ${far.taken} taken`,
    );
    if (far.taken !== sent_frames) throw new Error('frames were lost between the two ends');
  } finally {
    child.stdin.end();
    await near.stop();
  }
}

/** Sends for so long; answers what the link has sent meanwhile. */
async function sendFor(
  near: LinkBench,
  ms: number,
): Promise<{ frames: number; bursts: number; seconds: number }> {
  const before = near.counters;
  const startMs = performance.now();
  let full = before.drop_link_full;
  while (performance.now() - startMs < ms) {
    for (let i = 0; i < 32; i++) near.send();
    const { drop_link_full } = near.counters;
    // the queue in front of the link holds a tenth of a second
    if (drop_link_full > full) await new Promise((resolve) => setTimeout(resolve, 10));
    full = drop_link_full;
  }
  const seconds = (performance.now() - startMs) / 1000;
  const after = near.counters;
  return {
    frames: after.sent_frames - before.sent_frames,
    bursts: after.sent_bursts - before.sent_bursts,
    seconds,
  };
}
