import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, netVhost, type Testpmd, waitUntil } from '../../../../tools/peers/index.ts';
import { type Frontend, type FrontendEvent, type FrontendOptions, startFrontend } from '../../src/index.ts';

const TRAFFIC = { kind: 'udp', size: 'imix', flows: 8, lineBps: 25e9, seed: 3 } as const;
const FRAMES = 20_000;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

/** Our guest; ended when the test ends. */
async function guest(options: Partial<FrontendOptions> & { socketPath: string }): Promise<Frontend> {
  const frontend = await startFrontend({
    memoryBytes: 64 * 2 ** 20,
    wait: 'interrupt',
    workload: { kind: 'verify', traffic: { ...TRAFFIC, packets: FRAMES } },
    ...options,
  });
  await cleanup.add({ stop: async () => void (await frontend.stop()) });
  return frontend;
}

describe("DPDK's net_vhost sends back what our guest sends", () => {
  it.each([
    { ring: 'split', queues: 1, features: { inOrder: false, mrgRxbuf: true } },
    { ring: 'split', queues: 4, features: { inOrder: true, mrgRxbuf: false }, txLayout: 'indirect' },
    { ring: 'packed', queues: 4, features: { inOrder: false, mrgRxbuf: false }, txLayout: 'two' },
    { ring: 'packed', queues: 1, features: { inOrder: true, mrgRxbuf: true, eventIdx: true }, regions: 4 },
  ] as const)('$ring, $queues pairs, $features', async (options) => {
    const socketPath = cleanup.path('s');
    const { queues } = options;
    const peer = await cleanup.add(netVhost({ socketPath, mode: 'macswap', queues }));
    const frontend = await guest({ socketPath, ...options });
    expect(await frontend.ended).toMatchObject({ why: 'done' });
    const { verified, figures } = await frontend.stop();
    expect(verified).toMatchObject({ received: FRAMES, lost: 0, corrupted: 0, duplicated: 0, foreign: 0 });
    expect(figures.queues.every(({ broken, packets }) => broken === 0 && packets > 0)).toBe(true);
    const { rxPackets, txPackets } = await peer.stats();
    expect([rxPackets, txPackets]).toEqual([FRAMES, FRAMES]);
  });
});

describe("DPDK's net_vhost joins two of our guests", () => {
  it.each(['split', 'packed'] as const)('%s: what one sends, the other verifies', async (ring) => {
    const paths = [cleanup.path('a'), cleanup.path('b')];
    const peer = await cleanup.add(netVhost({ socketPath: paths, mode: 'io' }));
    const traffic = { ...TRAFFIC, packets: FRAMES, rate: '50kpps' };
    const options = { ring, queueSize: 1024 };
    const checker = await guest({
      ...options,
      socketPath: paths[0]!,
      workload: { kind: 'verify', traffic, direction: 'check' },
    });
    const sender = await guest({
      ...options,
      socketPath: paths[1]!,
      workload: { kind: 'verify', traffic, direction: 'send' },
    });
    expect(await sender.ended).toMatchObject({ why: 'done' });
    await waitUntil(
      async () => (await peer.stats(1)).rxPackets === FRAMES,
      'net_vhost has taken every frame',
    );
    const [toChecker] = await peer.halt();
    const { txPackets, txDropped } = toChecker!;
    await waitUntil(() => checker.figures().rx.packets === txPackets, 'the checker has every frame');
    const { verified } = await checker.stop();
    // a guest that sleeps too long loses frames, and DPDK counts each
    expect(txPackets + txDropped).toBe(FRAMES);
    expect(verified).toMatchObject({ received: txPackets, corrupted: 0, duplicated: 0, foreign: 0 });
  });
});

describe('a net_vhost that is killed', () => {
  it.each(['split', 'packed'] as const)(
    '%s: our guest takes the next one, and nothing is corrupted',
    async (ring) => {
      const socketPath = cleanup.path('s');
      const events: FrontendEvent[] = [];
      let listening: () => void = () => undefined;
      const isListening = new Promise<void>((resolve) => {
        listening = resolve;
      });
      const start = (): Promise<Testpmd> =>
        cleanup.add(netVhost({ socketPath, mode: 'macswap', client: true }));
      const starting = guest({
        socketPath,
        ring,
        server: true,
        wait: 'poll',
        workload: { kind: 'verify', traffic: { ...TRAFFIC, rate: '100kpps' } },
        onEvent: (event) => {
          events.push(event);
          if (event.kind === 'listening') listening();
        },
      });
      await isListening;
      let peer = await start();
      const frontend = await starting;
      for (let life = 1; life <= 2; life++) {
        const { packets } = frontend.figures().rx;
        await waitUntil(
          () => frontend.figures().rx.packets > packets + 2000,
          `frames come back in life ${life}`,
        );
        await peer.kill();
        peer = await start();
      }
      await waitUntil(() => frontend.figures().connections === 3, 'the third back end is there');
      const { packets } = frontend.figures().rx;
      await waitUntil(() => frontend.figures().rx.packets > packets + 2000, 'frames come back in life 3');
      const { verified, figures } = await frontend.stop();
      const replayed = figures.queues.find(({ index }) => index === 1)?.replayed ?? 0;
      expect(verified).toMatchObject({ corrupted: 0, foreign: 0 });
      expect(verified!.duplicated).toBeLessThanOrEqual(replayed);
      expect(figures.queues.every(({ broken }) => broken === 0)).toBe(true);
      expect(events.filter(({ kind }) => kind === 'lost')).toHaveLength(2);
    },
  );
});
