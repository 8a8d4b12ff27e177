import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, finalStatistics, vhostlabBackend, virtioUser } from '../../../tools/peers/index.ts';

const FRAMES = 1000;
const SUPPORT = new URL('./support', import.meta.url).pathname;

describe.each(['echo-burst', 'echo-device'])('DPDK’s virtio-user through the plugin %s', (plugin) => {
  let cleanup: Cleanup;
  beforeEach(() => {
    cleanup = new Cleanup();
  });
  afterEach(() => cleanup.stop());

  it.each([false, true])('gets its frames back, packed rings: %s', async (packed) => {
    const socketPath = cleanup.path('s');
    const backend = await cleanup.add(
      vhostlabBackend({
        socketPath,
        port: 'switch',
        mode: 'poll',
        extra: ['--plugin', `${SUPPORT}/${plugin}`, '--json'],
      }),
    );
    const front = await cleanup.add(virtioUser({ socketPath, mode: 'flowgen', size: 300, packed }));
    await front.process.waitUntil(async () => {
      const counters = await front.xstats();
      return (counters.rx_q0_good_packets as number) >= FRAMES;
    }, `${FRAMES} frames have come back`);
    await front.halt();
    const stats = await front.stats();
    expect(stats.rxBytes).toBe(stats.rxPackets * 296);
    expect(stats.rxErrors + stats.txErrors).toBe(0);
    await front.stop();
    backend.signal('SIGTERM');
    await backend.exit;
    for (const { frames, violations } of finalStatistics(backend)) {
      expect(frames).toBeGreaterThanOrEqual(FRAMES);
      expect(violations).toBe(0);
    }
  });
});
