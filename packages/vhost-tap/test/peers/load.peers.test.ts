import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, endTap, netVhost, vhostlabTap, virtioUser } from '../../../../tools/peers/index.ts';

/** Descriptors of each case at least, as the peers count them; all cases together: 10^7. */
const DESCRIPTORS = Number(process.env.VHOSTLAB_TAP_DESCRIPTORS ?? 1_250_000);
/** Slowest rate at which a case is still worth waiting for: two pollers on processors of others. */
const SLOWEST_PPS = 20_000;
const TIMEOUT_MS = 60_000 + (DESCRIPTORS / SLOWEST_PPS) * 1000;
const MODES = {
  /** The guest sends: frames in the ring of queue 1. */
  tx: { peer: 'txonly', backend: 'rxonly', queue: 1 },
  /** The guest receives: buffers in the ring of queue 0. */
  rx: { peer: 'rxonly', backend: 'txonly', queue: 0 },
} as const;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

describe('nothing is said about DPDK under load', () => {
  const cases = [false, true].flatMap((packed) =>
    [false, true].flatMap((inOrder) =>
      (['tx', 'rx'] as const).map((direction) => ({ packed, inOrder, direction })),
    ),
  );
  it.each(cases)(
    'virtio-user and net_vhost, packed $packed, in_order $inOrder, guest $direction',
    async ({ packed, inOrder, direction }) => {
      const { peer, backend, queue } = MODES[direction];
      const [listen, connect, out] = ['tap', 'back', 'out'].map((name) => cleanup.path(name));
      const common = { hugepages: true, memoryMiB: 128 };
      await cleanup.add(netVhost({ ...common, socketPath: connect, mode: backend }));
      const tap = await cleanup.add(vhostlabTap({ listen, connect, out, notifications: inOrder }));
      const front = await cleanup.add(
        virtioUser({ ...common, socketPath: listen, mode: peer, packed, inOrder, queueSize: 1024 }),
      );
      let frames = 0;
      const startMs = performance.now();
      const enough = async () => {
        const { rxPackets, txPackets } = await front.stats();
        frames = direction === 'tx' ? txPackets : rxPackets;
        return frames >= DESCRIPTORS;
      };
      await front.process.waitUntil(enough, `${DESCRIPTORS} frames have gone through`, TIMEOUT_MS);
      const seconds = (performance.now() - startMs) / 1000;
      await front.stop();
      const { summary, log } = await endTap(tap, out);

      expect(summary.violations).toEqual([]);
      expect(log).not.toContain('VIOLATION');
      expect(summary.sessions).toBe(1);
      const features = /SET_FEATURES .*$/m.exec(log)?.[0] ?? '';
      expect(features.includes('RING_PACKED')).toBe(packed);
      expect(features.includes('IN_ORDER')).toBe(inOrder);
      for (const line of [
        /^\d+\.\d{3} SET_MEM_TABLE .*fds=1/m,
        /^\d+\.\d{3} SET_VRING_ADDR /m,
        new RegExp(
          `^\\d+\\.\\d{3} RING vq${queue} avail=\\S+ used=\\S+ driver=\\S+ device=\\S+ \\(\\+\\d+ avail`,
          'm',
        ),
        /^\d+\.\d{3} CLOSE /m,
      ]) {
        expect(log).toMatch(line);
      }
      const ring = summary.rings.find((each) => each.queue === queue)!;
      expect(ring.samples).toBeGreaterThan(10);
      expect(ring.availSteps).toBeGreaterThan(0);
      if (process.env.VHOSTLAB_TAP_DESCRIPTORS !== undefined) {
        console.log(`${frames} frames, ${(frames / seconds / 1e6).toFixed(2)} Mpps, ${JSON.stringify(ring)}`);
      }
    },
    TIMEOUT_MS + 60_000,
  );
});
