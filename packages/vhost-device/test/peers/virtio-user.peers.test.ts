import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Cleanup,
  finalStatistics,
  type PeerProcess,
  type Testpmd,
  type VirtioUserOptions,
  vhostlabBackend,
  virtioUser,
} from '../../../../tools/peers/index.ts';

const MRG_RXBUF = 15n;
const RING_PACKED = 34n;
const IN_ORDER = 35n;
/** Frames that must come back on every queue; more than the ring holds, so that it wraps. */
const FRAMES = 1000;
/** As `--txpkts` has it; flowgen leaves room for a frame check sequence. */
const SIZE = 300;
const FRAME_BYTES = SIZE - 4;

/** The features that the front end acknowledged last since `mark`. */
function features(backend: PeerProcess, mark: number): bigint {
  const found = [...backend.outputFrom(mark).matchAll(/SET_FEATURES +flags=\S+ size=8 fds=0 (0x[0-9a-f]+)/g)];
  return BigInt(found.at(-1)![1]!);
}

/** Waits until every queue has its own frames back. */
async function untilEchoed(front: Testpmd, queues: number, frames = FRAMES): Promise<void> {
  await front.process.waitUntil(async () => {
    const counters = await front.xstats();
    return Array.from({ length: queues }, (_, queue) => counters[`rx_q${queue}_good_packets`]!).every(
      (count) => count >= frames,
    );
  }, `${frames} frames have come back on each of ${queues} queues`);
}

const bools = [false, true];
const matrix = bools.flatMap((packed) =>
  bools.flatMap((inOrder) => bools.map((mrgRxbuf) => ({ packed, inOrder, mrgRxbuf }))),
);

describe.each([1, 4])('an echoing back end of %i queue pairs, one DPDK front end after another', (queues) => {
  let cleanup: Cleanup;
  let socketPath: string;
  let backend: PeerProcess;
  let front: Testpmd | undefined;

  beforeAll(async () => {
    cleanup = new Cleanup();
    socketPath = cleanup.path('s');
    const workers = Math.min(queues, 2);
    backend = await cleanup.add(
      vhostlabBackend({
        socketPath,
        port: 'echo',
        queues,
        extra: ['--messages', '--workers', String(workers), '--json'],
      }),
    );
  });
  afterEach(async () => {
    await front?.stop();
    front = undefined;
  });
  afterAll(() => cleanup.stop());

  it.each(matrix)('$packed packed, $inOrder in order, $mrgRxbuf merged', async (rings) => {
    const mark = backend.mark();
    const options: VirtioUserOptions = { socketPath, mode: 'flowgen', queues, size: SIZE, ...rings };
    front = await virtioUser(options);
    await untilEchoed(front, queues);
    // Counters of packets and bytes belong together only when nothing moves.
    await front.halt();
    const stats = await front.stats();
    expect(stats.rxBytes).toBe(stats.rxPackets * FRAME_BYTES);
    expect(stats.rxPackets).toBeLessThanOrEqual(stats.txPackets);
    expect(stats.rxErrors + stats.txErrors).toBe(0);
    const bits = features(backend, mark);
    expect((bits >> RING_PACKED) & 1n).toBe(rings.packed ? 1n : 0n);
    expect((bits >> IN_ORDER) & 1n).toBe(rings.inOrder ? 1n : 0n);
    expect((bits >> MRG_RXBUF) & 1n).toBe(rings.mrgRxbuf ? 1n : 0n);
    expect(backend.outputFrom(mark)).not.toMatch(/refused|broken/);
  });

  it('has counted every front end, and no violation', async () => {
    backend.signal('SIGTERM');
    await backend.exit;
    const counters = finalStatistics(backend);
    expect(counters).toHaveLength(2 * queues);
    for (const { frames, violations } of counters) {
      expect(violations).toBe(0);
      expect(frames).toBeGreaterThanOrEqual(matrix.length * FRAMES);
    }
  });
});

describe('a front end that listens', () => {
  let cleanup: Cleanup;
  beforeEach(() => {
    cleanup = new Cleanup();
  });
  afterEach(() => cleanup.stop());

  it.each([{ packed: false }, { packed: true }])(
    'goes on with a new back end each time the old one was killed: %o',
    async ({ packed }) => {
      const socketPath = cleanup.path('s');
      const front = await cleanup.add(virtioUser({ socketPath, server: true, mode: 'flowgen', packed }));
      const start = () =>
        cleanup.add(vhostlabBackend({ socketPath, client: true, port: 'echo', mode: 'poll' }));
      let backend = await start();
      await front.ready();
      let echoed = 0;
      for (let life = 1; life <= 3; life += 1) {
        await untilEchoed(front, 1, echoed + FRAMES);
        await backend.kill();
        echoed = (await front.stats()).rxPackets;
        if (life < 3) backend = await start();
      }
      expect(front.process.running).toBe(true);
    },
  );
});
