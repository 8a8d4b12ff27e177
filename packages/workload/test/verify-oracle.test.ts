import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createVerifySource,
  flowCounts,
  reflect,
  swapMacs,
  totalCounts,
  VerifyChecker,
} from '../src/index.ts';
import { SequenceWindows } from '../src/verify/sequence-windows.ts';

const FLOWS = 3;
const TRAFFIC = { kind: 'udp', lineBps: 25e9, seed: 5, flows: FLOWS, rate: 'unpaced' } as const;
/** Bytes that may change on the way without harm. */
const UNCOVERED = [...Array(12).keys(), 15, 18, 19, 22, 24, 25, 40, 41];
const COVERED = Array.from({ length: 60 }, (_, i) => i).filter((i) => !UNCOVERED.includes(i));

interface Arrival {
  flow: number;
  sequence: number;
  what: 'intact' | 'damaged' | 'foreign';
  bytes: Uint8Array;
}

/** Counts with all sequences in sets; nothing is forgotten, and `window` says only what is called beyond. */
function naive(arrivals: readonly Arrival[], sent: readonly number[], window: number) {
  return sent.map((ofFlow, flow) => {
    const seen = new Set<number>();
    const counts = { received: 0, lost: 0, duplicated: 0, reordered: 0, beyond: 0, furthestBehind: 0 };
    for (const { sequence } of arrivals.filter((each) => each.flow === flow && each.what === 'intact')) {
      const highest = Math.max(-1, ...seen);
      counts.received++;
      counts.furthestBehind = Math.max(counts.furthestBehind, highest - sequence);
      if (highest - sequence >= window) {
        counts.beyond++;
        continue;
      }
      if (seen.has(sequence)) counts.duplicated++;
      else if (sequence < highest) counts.reordered++;
      seen.add(sequence);
    }
    counts.lost = ofFlow - seen.size;
    return counts;
  });
}

/** What happens to a frame on its way. */
const fate = fc.record({
  what: fc.constantFrom('pass', 'pass', 'pass', 'drop', 'twice', 'flip', 'cut', 'rewrite', 'reflect'),
  /** Places that it comes later than its turn. */
  delay: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(8), fc.nat(300)),
  again: fc.nat(200),
  at: fc.nat(),
  bits: fc.integer({ min: 1, max: 255 }),
});

describe('a verify checker', () => {
  it('counts what an oracle counts that forgets nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fate, { minLength: 1, maxLength: 250 }),
        fc.array(fc.tuple(fc.nat(300), fc.uint8Array({ maxLength: 200 })), { maxLength: 5 }),
        fc.constantFrom(32, 64, 4096),
        fc.boolean(),
        (fates, strangers, window, isStamped) => {
          const between = { minBytes: 72, maxBytes: 200 };
          const source = createVerifySource({ ...TRAFFIC, packets: fates.length }, { between, isStamped });
          const sequences = Array.from({ length: FLOWS }, () => 0);
          const timed: [number, Arrival][] = strangers.map(([at, bytes]) => [
            at,
            { flow: -1, sequence: -1, what: 'foreign', bytes },
          ]);
          fates.forEach(({ what, delay, again, at, bits }, i) => {
            source.next();
            const bytes = new Uint8Array(source.length);
            source.write(bytes, 0);
            const arrival: Arrival = {
              flow: source.flow,
              sequence: sequences[source.flow]++,
              what: 'intact',
              bytes,
            };
            if (what === 'drop') return;
            if (what === 'twice') timed.push([i + again, arrival]);
            if (what === 'rewrite') bytes[UNCOVERED[at % UNCOVERED.length]] ^= bits;
            if (what === 'reflect') (at % 2 === 0 ? swapMacs : reflect)(bytes, 0, bytes.length);
            if (what === 'flip') {
              const payload = bytes.length - 60;
              const place = at % (COVERED.length + payload);
              bytes[COVERED[place] ?? 60 + place - COVERED.length] ^= bits;
            }
            if (what === 'cut') arrival.bytes = bytes.subarray(0, 34 + (at % (bytes.length - 34)));
            if (what === 'flip' || what === 'cut') arrival.what = 'damaged';
            timed.push([i + delay, arrival]);
          });
          const arrivals = timed.sort(([a], [b]) => a - b).map(([, arrival]) => arrival);
          const checker = new VerifyChecker({ streamId: TRAFFIC.seed, flows: FLOWS, window });
          for (const { bytes } of arrivals) checker.check(bytes, 0, bytes.length);

          const tally = checker.tally();
          const count = (what: Arrival['what']) => arrivals.filter((each) => each.what === what).length;
          expect([...source.sent]).toEqual(sequences);
          naive(arrivals, sequences, window).forEach((expected, flow) => {
            const found = flowCounts(tally, flow, source.sent);
            expect(found).toMatchObject(expected);
            const damaged = arrivals.filter((each) => each.flow === flow && each.what === 'damaged');
            expect(found.corrupted).toBeLessThanOrEqual(damaged.length);
          });
          const total = totalCounts(tally, source.sent);
          expect(total).toMatchObject({ corrupted: count('damaged'), foreign: count('foreign') });
          expect(total.received + total.corrupted + total.foreign).toBe(arrivals.length);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('windows of sequences', () => {
  it('tell what came before, whatever the jumps, across words and beyond 32 bits', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -40, max: 40 }) },
      fc.integer({ min: -300, max: 300 }),
      fc.constantFrom(64, 128, 2 ** 20),
    );
    const starts = fc.constantFrom(0, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 52);
    fc.assert(
      fc.property(
        starts,
        fc.array(step, { maxLength: 200 }),
        fc.constantFrom(32, 64, 128),
        (start, steps, window) => {
          const windows = new SequenceWindows(2, window);
          const seen = new Set<number>();
          let at = start;
          let highest = -1;
          for (const by of steps) {
            at = Math.max(0, at + by);
            const behind = highest - at;
            const expected = behind < 0 ? 0 : behind >= window ? 3 : seen.has(at) ? 2 : 1;
            expect(windows.take(1, Math.floor(at / 2 ** 32), at | 0)).toBe(expected);
            expect(windows.next[0]).toBe(0);
            if (expected !== 3) seen.add(at);
            highest = Math.max(highest, at);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
