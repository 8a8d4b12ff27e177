import type { RingFormat } from '@vhostlab/virtqueue';
import type { FrontendOptions } from '../src/index.ts';
import type { FakeRing } from './fake-device.ts';
import { LocalRig } from './rig.ts';

const BURST = 32;
const HEADER_BYTES = 12;
const TRAFFIC = { kind: 'udp', size: '64', lineBps: 25e9, seed: 1 } as const;

function rig(
  ring: RingFormat,
  options: Partial<FrontendOptions> & Pick<FrontendOptions, 'workload'>,
): LocalRig {
  const made = new LocalRig({ ring, burst: BURST, ...options });
  // every buffer says that it holds a frame by itself, and goes on saying so
  const { rxBuffers } = made.pairs[0];
  for (let i = 0; i < rxBuffers.count; i++) {
    const header = rxBuffers.areas[0].offset + i * rxBuffers.strideBytes + rxBuffers.frameAt - HEADER_BYTES;
    made.memory.arena.u8[header + 10] = 1;
  }
  return made;
}

/** Uses up to a burst of buffers, as if `length` bytes had been written to each. */
function use({ queue, chains }: FakeRing, length: number): void {
  queue.pushUsedBurst(chains.slot, queue.pop(chains, BURST), length);
  queue.publishUsed();
  queue.shouldCall();
}

function sending(ring: RingFormat, flows: number, inOrder: boolean): () => (call: number) => void {
  return () => {
    const traffic = { ...TRAFFIC, flows };
    const { runners, rings } = rig(ring, { features: { inOrder }, workload: { kind: 'tx', traffic } });
    const { app } = runners[0];
    return () => {
      app.turn();
      use(rings[1], 0);
    };
  };
}

function receiving(ring: RingFormat, mrgRxbuf: boolean): () => (call: number) => void {
  return () => {
    const { runners, rings } = rig(ring, { features: { mrgRxbuf }, workload: { kind: 'rx' } });
    const { app } = runners[0];
    return () => {
      use(rings[0], HEADER_BYTES + 60);
      app.turn();
    };
  };
}

function forwarding(ring: RingFormat): () => (call: number) => void {
  return () => {
    const { runners, rings } = rig(ring, { features: { mrgRxbuf: false }, workload: { kind: 'forward' } });
    const { app } = runners[0];
    return () => {
      use(rings[0], HEADER_BYTES + 60);
      app.turn();
      use(rings[1], 0);
    };
  };
}

function verifying(): (call: number) => void {
  const traffic = { ...TRAFFIC, size: '200', flows: 4, packets: 1e9 };
  const { runners, rings } = rig('split', { workload: { kind: 'verify', traffic, window: 0 } });
  const { app } = runners[0];
  return () => {
    app.turn();
    use(rings[1], 0);
    use(rings[0], HEADER_BYTES + 196);
  };
}

export const hotCases = {
  'tx split in order, flows': sending('split', 7, true),
  'tx packed in order': sending('packed', 1, true),
  'rx split merged': receiving('split', true),
  'forward packed': forwarding('packed'),
  verify: verifying,
};
