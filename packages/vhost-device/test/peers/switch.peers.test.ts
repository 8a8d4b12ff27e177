import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, finalStatistics, vhostlabBackend, virtioUser } from '../../../../tools/peers/index.ts';

/** Frames that must have gone through, more than the rings hold. */
const FRAMES = 5000;
/** As `--txpkts` has it; flowgen leaves room for a frame check sequence. */
const SIZE = 300;
const FRAME_BYTES = SIZE - 4;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

/** Rings of two guests on one bridge. */
const PAIRS = [
  { mode: 'poll', left: { packed: false }, right: { packed: false } },
  { mode: 'poll', left: { packed: true, inOrder: true }, right: { packed: false, inOrder: false } },
  { mode: 'poll', left: { packed: true, mrgRxbuf: false }, right: { packed: true, inOrder: false } },
  { mode: 'interrupt', left: { packed: false }, right: { packed: false, mrgRxbuf: false } },
] as const;

describe('the switch between two DPDK front ends', () => {
  it.each(PAIRS)('$mode: $left, $right', async ({ mode, left, right }) => {
    const socketPath = [cleanup.path('left'), cleanup.path('right')];
    const backend = await cleanup.add(
      vhostlabBackend({ socketPath, port: 'switch', mode, extra: ['--json'] }),
    );
    const mac = (last: number): string => `52:54:00:00:00:0${last}`;
    const answers = await cleanup.add(
      virtioUser({ socketPath: socketPath[1]!, mode: 'macswap', mac: mac(2), ...right }),
    );
    const asks = await cleanup.add(
      virtioUser({ socketPath: socketPath[0]!, mode: 'flowgen', mac: mac(1), size: SIZE, ...left }),
    );
    await asks.process.waitUntil(
      async () => (await asks.stats()).rxPackets >= FRAMES,
      `${FRAMES} frames have gone to the other guest and come back`,
    );
    const there = await answers.stats();
    expect(there.rxBytes).toBe(there.rxPackets * FRAME_BYTES);
    const back = await asks.stats();
    expect(back.rxBytes).toBe(back.rxPackets * FRAME_BYTES);
    expect(back.rxErrors + there.rxErrors).toBe(0);
    await asks.quit();
    await answers.quit();
    backend.signal('SIGTERM');
    await backend.exit;
    expect(backend.output()).not.toMatch(/refused|broken/);
    const queues = finalStatistics(backend);
    expect(queues.map(({ violations }) => violations)).toEqual([0, 0, 0, 0]);
    for (const { frames, bytes } of queues) expect(bytes).toBe(frames * FRAME_BYTES);
    expect(queues[0]!.frames).toBeGreaterThanOrEqual(FRAMES);
  });
});
