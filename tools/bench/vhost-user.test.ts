import { describe, expect, it } from 'vitest';
import { parseCycles } from './_vhost-rig.ts';
import { chooseCases } from './vhost-user.ts';

describe('bench -- vhost-user', () => {
  it('runs every direction, format and size, or those that are named', () => {
    expect(chooseCases(undefined)).toHaveLength(12);
    expect(chooseCases('dequeue,split')).toEqual([
      { direction: 'dequeue', format: 'split', bytes: 64 },
      { direction: 'dequeue', format: 'split', bytes: 1500 },
    ]);
    expect(() => chooseCases('dequeue,128')).toThrow(
      '--only dequeue,128: no case has all of these words; choose from dequeue, enqueue, forward, split, packed, 64, 1500',
    );
  });

  it('reads what testpmd prints about cycles and bursts', () => {
    const text = `
  RX-packets: 18439552       RX-dropped: 0             RX-total: 18439552
  RX-bursts : 84915954 [99% of 0 pkts + 1% of 32 pkts]
  CPU cycles/packet=119.44 (total cycles=2202504516 / total rxonly packets=18439552) at 2600 MHz Clock
`;
    expect(parseCycles(text)).toEqual({
      busyNs: (2202504516 / 2600) * 1000,
      packets: 18439552,
      emptyShare: 0.99,
    });
    expect(() => parseCycles('nothing')).toThrow(/printed no cycles/);
  });
});
