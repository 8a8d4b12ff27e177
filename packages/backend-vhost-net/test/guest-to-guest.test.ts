import { describe, expect, it } from 'vitest';
import { expectAllAccounted, frames, runRig } from './rig.ts';

const LENGTHS = [60, 1514, 590];
const OUTPUTS = [
  { from: 10, to: [11] },
  { from: 11, to: [10] },
];

describe('guest to guest', () => {
  it('frames go from worker to worker, without a NIC', () => {
    const send = { frames: 150, lengths: LENGTHS, gapPs: 100_000 };
    const outcome = runRig({ guests: [{ send }, { send }], workload: 'v2v', outputs: OUTPUTS });
    for (const { received, refused } of outcome.guests) {
      expect(refused).toEqual([]);
      expect(received.map(({ bytes }) => bytes)).toEqual(frames(150, LENGTHS));
    }
    expect(outcome.drops()).toEqual({});
    expect(outcome.cores.map(({ id }) => id).filter((id) => id.startsWith('nic'))).toEqual([]);
  });

  it('drops at the queue of a tap whose guest is slow', () => {
    const outcome = runRig({
      guests: [{ size: 256, send: { frames: 800, gapPs: 0 } }, { size: 4 }],
      workload: 'v2v',
      outputs: OUTPUTS,
      constants: { 'tap.queueLength': 20 },
    });
    const { counters } = outcome.core('host.vhost0.0');
    expect(counters['drop.tap-queue-full']).toBeGreaterThan(0);
    expect(outcome.drops()).toEqual({ 'tap-queue-full': counters['drop.tap-queue-full'] });
    expectAllAccounted(outcome);
  });
});
