import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrivalOrder, orderedStreams } from '../src/index.ts';

function report(streams: number, packets: readonly number[]) {
  const order = new ArrivalOrder(streams);
  for (const packet of packets) order.take(packet);
  return order.report();
}

describe('order of arrival', () => {
  it('counts what comes again and what comes late in its stream', () => {
    expect(report(1, [0, 1, 2, 5, 3, 4, 6, 6, 0])).toEqual({ duplicated: 2, reordered: 2 });
    expect(report(2, [1, 3, 0, 2, 5, 4])).toEqual({ duplicated: 0, reordered: 0 });
    expect(report(0, [9, 3, 3])).toEqual({ duplicated: 1, reordered: 0 });
    expect(report(1, [-1, -1, 7])).toEqual({ duplicated: 0, reordered: 0 });
  });

  it('agrees with a list of everything that came', () => {
    const packets = fc.array(fc.nat(3000), { maxLength: 200 });
    fc.assert(
      fc.property(packets, fc.integer({ min: 1, max: 4 }), (list, streams) => {
        let duplicated = 0;
        let reordered = 0;
        list.forEach((packet, i) => {
          const before = list.slice(0, i);
          if (before.includes(packet)) duplicated++;
          else if (before.some((other) => other > packet && other % streams === packet % streams))
            reordered++;
        });
        expect(report(streams, list)).toEqual({ duplicated, reordered });
      }),
    );
  });

  it('knows one stream per flow and queue of the source', () => {
    expect(orderedStreams({ queues: 2, traffic: { flows: 5 } })).toBe(10);
    expect(orderedStreams({ queues: 2, traffic: {} })).toBe(2);
    expect(orderedStreams({ queues: 2, traffic: { flows: 0 } })).toBe(0);
  });
});
