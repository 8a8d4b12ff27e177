import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPS } from '../src/index.ts';
import { TimelineRecorder } from '../src/timeline.ts';

const EXIT = OPS.findIndex(({ op }) => op === 'kvm.exit');
const COPY = OPS.findIndex(({ op }) => op === 'vhost.copy');
const SPAN = 100;

describe('timeline of a core', () => {
  it('spreads a run over the spans that it touches, and counts its exits where it began', () => {
    const counts = new Float64Array(OPS.length);
    const timeline = new TimelineRecorder(SPAN, counts);
    timeline.add(10, 30);
    counts[EXIT] += 2;
    counts[COPY] += 5;
    timeline.add(90, 310);
    timeline.add(400, 400);
    counts[EXIT] = 0;
    timeline.restart();
    counts[EXIT] += 1;
    timeline.add(450, 500);
    expect(timeline.result()).toEqual({
      spanPs: SPAN,
      busyPs: [30, 100, 100, 10, 50],
      exits: [2, 0, 0, 0, 1],
    });
  });

  it('loses no time and no exit', () => {
    const runs = fc.array(fc.record({ idle: fc.nat(250), length: fc.nat(350), exits: fc.nat(3) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(runs, (list) => {
        const counts = new Float64Array(OPS.length);
        const timeline = new TimelineRecorder(SPAN, counts);
        let at = 0;
        let busy = 0;
        for (const { idle, length, exits } of list) {
          at += idle;
          counts[EXIT] += exits;
          timeline.add(at, at + length);
          at += length;
          busy += length;
        }
        const { busyPs, exits } = timeline.result();
        expect(busyPs.reduce((sum, ps) => sum + ps, 0)).toBe(busy);
        expect(exits.reduce((sum, n) => sum + n, 0)).toBe(counts[EXIT]);
        expect(Math.max(0, ...busyPs)).toBeLessThanOrEqual(SPAN);
      }),
      { numRuns: 100 },
    );
  });
});
