import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, finalStatistics, vhostlabBackend, virtioUser } from '../../../../tools/peers/index.ts';

/** Frames that must have gone through, more than the rings hold. */
const FRAMES = 2000;
/** As `--txpkts` has it; flowgen leaves room for a frame check sequence. */
const SIZE = 300;
const FRAME_BYTES = SIZE - 4;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

const MACS = ['52:54:00:00:00:01', '52:54:00:00:00:02'];
/** Flows of a bridge that learns nothing. */
const FLOWS = ['in_port=guest0,actions=output:guest1', 'in_port=guest1,actions=output:guest0'];

/** Rings of two guests on one bridge. */
const CASES = [
  { plugin: 'vhost-user', left: { packed: false }, right: { packed: false } },
  { plugin: 'vhost-user', left: { packed: true }, right: { packed: false, inOrder: false }, flows: FLOWS },
  { plugin: 'vhost-user', left: { packed: true, mrgRxbuf: false }, right: { packed: true, inOrder: false } },
  { plugin: 'user-interrupt', left: { packed: false }, right: { packed: false, mrgRxbuf: false } },
  { plugin: 'sw-vdpa', left: { packed: false }, right: { packed: true } },
] as const;

describe('the switch between two DPDK front ends', () => {
  it.each(CASES)('$plugin: $left, $right', async ({ plugin, left, right, ...rest }) => {
    const socketPath = [cleanup.path('left'), cleanup.path('right')];
    const flows = 'flows' in rest ? rest.flows.flatMap((flow) => ['--flow', flow]) : [];
    const backend = await cleanup.add(
      vhostlabBackend({ socketPath, port: `switch:plugin=${plugin}`, extra: ['--json', ...flows] }),
    );
    const answers = await cleanup.add(
      virtioUser({ socketPath: socketPath[1]!, mode: 'macswap', mac: MACS[1]!, ...right }),
    );
    const asks = await cleanup.add(
      virtioUser({ socketPath: socketPath[0]!, mode: 'flowgen', mac: MACS[0]!, size: SIZE, ...left }),
    );
    await asks.process.waitUntil(
      async () => (await asks.stats()).rxPackets >= FRAMES,
      `${FRAMES} frames have gone to the other guest and come back`,
    );
    // Counters of packets and bytes belong together only when nothing moves.
    await asks.halt();
    await answers.halt();
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
