import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, ovsDpdk, waitUntil } from '../../../../tools/peers/index.ts';
import { type Frontend, type FrontendOptions, startFrontend } from '../../src/index.ts';

const FRAMES = 20_000;
const TRAFFIC = { kind: 'udp', size: '64', flows: 8, rate: '50kpps', lineBps: 25e9, seed: 5 } as const;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

/** Our guest at a port of the switch, which connects to it. */
async function guest(
  options: Omit<FrontendOptions, 'server' | 'onEvent'>,
  addPort: () => Promise<void>,
): Promise<Frontend> {
  let listening: () => void = () => undefined;
  const isListening = new Promise<void>((resolve) => {
    listening = resolve;
  });
  const starting = startFrontend({
    memoryBytes: 64 * 2 ** 20,
    queueSize: 1024,
    wait: 'interrupt',
    ...options,
    server: true,
    onEvent: ({ kind }) => {
      if (kind === 'listening') listening();
    },
  });
  await isListening;
  await addPort();
  const frontend = await starting;
  await cleanup.add({ stop: async () => void (await frontend.stop()) });
  return frontend;
}

describe('Open vSwitch on DPDK in the middle of two of our guests', () => {
  it('delivers what one sends to the other, every frame accounted for', async () => {
    const ovs = await cleanup.add(ovsDpdk());
    const traffic = { ...TRAFFIC, packets: FRAMES };
    const checker = await guest(
      { socketPath: cleanup.path('a'), workload: { kind: 'verify', traffic, direction: 'check' } },
      () => ovs.addPort('guest0', cleanup.path('a')),
    );
    const sender = await guest(
      {
        socketPath: cleanup.path('b'),
        ring: 'packed',
        workload: { kind: 'verify', traffic, direction: 'send' },
      },
      () => ovs.addPort('guest1', cleanup.path('b')),
    );
    expect(await sender.ended).toMatchObject({ why: 'done' });
    await waitUntil(
      async () => (await ovs.portStats('guest1')).rxPackets === FRAMES,
      'the switch has taken every frame',
    );
    const { txPackets, txDropped } = await ovs.portStats('guest0');
    await waitUntil(() => checker.figures().rx.packets >= txPackets, 'the checker has every frame');
    const { verified, figures } = await checker.stop();
    const { corrupted, duplicated, received } = verified!;
    expect([corrupted, duplicated]).toEqual([0, 0]);
    expect(received + txDropped).toBe(FRAMES);
    expect(figures.rx.broken).toBe(0);
  });
});
