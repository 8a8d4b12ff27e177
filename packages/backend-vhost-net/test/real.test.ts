import { describe, expect, it } from 'vitest';
import { frames, runRigReal } from './rig.ts';

const LENGTHS = [60, 1514, 590];

describe('the vhost workers on the real clock', () => {
  it.each([true, false])('copy from guest to guest, guests that sleep: %s', (interrupts) => {
    const send = { frames: 150, lengths: LENGTHS, gapPs: 3_000_000 };
    const outcome = runRigReal({
      guests: [
        { send, interrupts },
        { send, interrupts },
      ],
      workload: 'v2v',
      outputs: [
        { from: 10, to: [11] },
        { from: 11, to: [10] },
      ],
    });
    for (const { received, refused } of outcome.guests) {
      expect(refused).toEqual([]);
      expect(received.map(({ bytes }) => bytes)).toEqual(frames(150, LENGTHS));
    }
    expect(outcome.drops()).toEqual({});
    // a worker that had never slept would not have needed a kick
    expect(outcome.total('kicks')).toBeGreaterThan(10);
  });

  it('carry frames to the wire and from it, through tap and softirq', () => {
    const outcome = runRigReal({
      guests: [{ interrupts: true, send: { frames: 100, lengths: LENGTHS } }],
      wire: { frames: 100, lengths: LENGTHS },
    });
    expect(outcome.sent.map(({ bytes }) => bytes)).toEqual(frames(100, LENGTHS));
    expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(frames(100, LENGTHS));
    expect(outcome.drops()).toEqual({});
  });
});
