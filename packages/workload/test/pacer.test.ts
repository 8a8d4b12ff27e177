import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Arrival, Rate } from '../src/index.ts';
import { createPacer, frameGbps, lineRatePps, Prng, parseRate, wireBytes } from '../src/index.ts';

const CONSTANT: Arrival = { kind: 'constant' };

function departures(rate: Rate, arrival: Arrival, lengths: number[], seed = 1): number[] {
  const pacer = createPacer(rate, arrival, seed);
  return lengths.map((length) => {
    pacer.depart(length);
    return pacer.atPs;
  });
}

describe('line rate', () => {
  it('is 14.88 Mpps at 10 Gb/s for 64-byte frames (RFC 2544, appendix B)', () => {
    expect(Math.floor(lineRatePps(10e9, 64))).toBe(14_880_952);
    expect(Math.floor(lineRatePps(10e9, 1518))).toBe(812_743);
    expect(frameGbps(14_880_952, 64)).toBeCloseTo(7.619, 3);
  });

  it('pads short frames in time', () => {
    expect(wireBytes(60)).toBe(84);
    expect(wireBytes(14)).toBe(84);
    expect(wireBytes(61)).toBe(85);
  });
});

describe('constant rate', () => {
  it('keeps exact time for any rate and sizes', () => {
    const unit = fc.constantFrom('pps' as const, 'frameBps' as const, 'wireBps' as const);
    const value = fc.oneof(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1000, max: 400_000_000_000 }),
    );
    const lengths = fc.array(fc.integer({ min: 14, max: 65549 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(unit, value, lengths, (rateUnit, rate, list) => {
        const actual = departures({ unit: rateUnit, value: rate }, CONSTANT, list);
        let amount = 0n;
        list.forEach((length, i) => {
          const exact = (amount * 1_000_000_000_000n) / BigInt(rate);
          // A rate of a few bits per second leaves the integers that a number holds exactly: beyond virtual time.
          if (exact < 1n << 53n) expect(BigInt(actual[i])).toBe(exact);
          const padded = Math.max(64, length + 4);
          amount += rateUnit === 'pps' ? 1n : BigInt(8 * (rateUnit === 'frameBps' ? padded : padded + 20));
        });
      }),
      { numRuns: 500 },
    );
  });

  it('does not drift in 10^6 frames at a rate that divides nothing', () => {
    const pacer = createPacer({ unit: 'pps', value: 14_880_953 }, CONSTANT, 1);
    for (let i = 0; i <= 1_000_000; i++) pacer.depart(60);
    expect(BigInt(pacer.atPs)).toBe((1_000_000n * 1_000_000_000_000n) / 14_880_953n);
  });

  it('is all at once when unpaced', () => {
    expect(departures({ unit: 'unpaced' }, CONSTANT, [60, 60])).toEqual([0, 0]);
  });
});

describe('Poisson arrivals', () => {
  it('has the mean and the spread of an exponential, and repeats by seed', () => {
    const lengths = new Array<number>(20_000).fill(60);
    const times = departures({ unit: 'pps', value: 1_000_000 }, { kind: 'poisson' }, lengths, 7);
    const gaps = times.slice(1).map((at, i) => at - times[i]);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(Math.abs(mean / 1e6 - 1)).toBeLessThan(0.03);
    // Of an exponential, e^-1 are longer than the mean.
    expect(Math.abs(gaps.filter((gap) => gap > 1e6).length / gaps.length - Math.exp(-1))).toBeLessThan(0.02);
    expect(gaps.every((gap) => Number.isSafeInteger(gap) && gap >= 0)).toBe(true);
    expect(departures({ unit: 'pps', value: 1_000_000 }, { kind: 'poisson' }, lengths, 7)).toEqual(times);
    expect(departures({ unit: 'pps', value: 1_000_000 }, { kind: 'poisson' }, lengths, 8)).not.toEqual(times);
  });
});

describe('on/off arrivals', () => {
  it('sends at the rate while on and is silent while off', () => {
    const arrival: Arrival = { kind: 'on-off', onPs: 3_000_000, offPs: 10_000_000 };
    const times = departures({ unit: 'pps', value: 1_000_000 }, arrival, new Array<number>(7).fill(60));
    expect(times.map((ps) => ps / 1e6)).toEqual([0, 1, 2, 13, 14, 15, 26]);
  });

  it('refuses times that are none', () => {
    for (const onPs of [0, 0.5, Number.NaN]) {
      expect(() => createPacer({ unit: 'pps', value: 1 }, { kind: 'on-off', onPs, offPs: 1 }, 1)).toThrow(
        'on/off',
      );
    }
  });
});

describe('--rate', () => {
  it.each<[string, Rate]>([
    ['line', { unit: 'wireBps', value: 25e9 }],
    ['50%', { unit: 'wireBps', value: 12.5e9 }],
    ['10Mpps', { unit: 'pps', value: 10e6 }],
    ['1000 pps', { unit: 'pps', value: 1000 }],
    ['2.5Gbps', { unit: 'frameBps', value: 2.5e9 }],
    ['unpaced', { unit: 'unpaced' }],
  ])('understands %s', (text, rate) => {
    expect(parseRate(text, 25e9)).toEqual(rate);
  });

  it.each(['', 'fast', '0pps', '-1pps', '0%', '1e9pps', '2Tpps', '10'])('refuses "%s"', (text) => {
    expect(() => parseRate(text, 25e9)).toThrow(`rate "${text}"`);
  });
});

describe('Prng', () => {
  /** xoshiro128** and splitmix32 written from their definitions over arbitrary integers. */
  function* oracle(seed: number): Generator<number> {
    const M = 0xffffffffn;
    const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & M;
    let state = BigInt(seed >>> 0);
    const s: bigint[] = [];
    for (let i = 0; i < 4; i++) {
      state = (state + 0x9e3779b9n) & M;
      let z = state;
      z = ((z ^ (z >> 16n)) * 0x21f0aaadn) & M;
      z = ((z ^ (z >> 15n)) * 0x735a2d97n) & M;
      s.push(z ^ (z >> 15n));
    }
    while (true) {
      yield Number((rotl((s[1] * 5n) & M, 7n) * 9n) & M) | 0;
      const t = (s[1] << 9n) & M;
      s[2] ^= s[0];
      s[3] ^= s[1];
      s[1] ^= s[2];
      s[0] ^= s[3];
      s[2] ^= t;
      s[3] = rotl(s[3], 11n);
    }
  }

  it('is xoshiro128** seeded by splitmix32', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Prng(seed);
        const expected = oracle(seed);
        for (let i = 0; i < 20; i++) expect(random.nextInt32()).toBe(expected.next().value);
      }),
    );
  });

  it('stays inside its ranges', () => {
    const random = new Prng(3);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      counts[random.nextBelow(10)]++;
    }
    expect(counts.every((count) => count > 850 && count < 1150)).toBe(true);
    expect(counts).toHaveLength(10);
  });
});
