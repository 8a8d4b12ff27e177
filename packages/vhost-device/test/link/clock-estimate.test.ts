import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockEstimate, latencyText } from '../../src/link/clock-estimate.ts';
import { LatencyHistogram } from '../../src/link/latency-histogram.ts';

describe('the difference of two clocks', () => {
  it('is within its error of the truth, whatever way the round trips take and however the clocks drift', () => {
    const exchange = fc.record({
      there: fc.integer({ min: 1000, max: 2e6 }),
      back: fc.integer({ min: 1000, max: 2e6 }),
    });
    fc.assert(
      fc.property(
        fc.array(exchange, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: -1e12, max: 1e12 }),
        fc.integer({ min: -40, max: 40 }),
        (exchanges, offset, ppm) => {
          const estimate = new ClockEstimate();
          const peerAt = (ns: number) => ns + offset + ns * ppm * 1e-6;
          let now = 1e9;
          for (const { there, back } of exchanges) {
            const arrived = now + there;
            estimate.add(now, peerAt(arrived), peerAt(arrived + 500), arrived + 500 + back);
            now += 5e8;
            const found = estimate.at(now);
            // the drift between moments of one exchange is nothing beside its round trip
            expect(Math.abs((found?.offsetNs ?? 0) - (peerAt(now) - now))).toBeLessThanOrEqual(
              (found?.errorNs ?? 0) + 50,
            );
          }
        },
      ),
    );
  });

  it('is known to half of the best round trip', () => {
    const estimate = new ClockEstimate();
    expect(estimate.at(0)).toBeUndefined();
    estimate.add(0, 1_000_100, 1_000_200, 10_100);
    estimate.add(20_000, 1_020_050, 1_020_060, 20_110);
    expect(estimate.roundTripNs).toBe(100);
    expect(estimate.at(20_110)).toEqual({ offsetNs: 1_000_000, errorNs: 50 });
    // an exchange of long ago is worth less
    expect(estimate.at(20_110 + 1e9)?.errorNs).toBeCloseTo(50 + 500_000, -1);
  });
});

describe('a one-way latency', () => {
  it('is told only where the error of the clocks is under a tenth of it', () => {
    expect(latencyText(1_000_000, 99_000)).toBe('one-way latency 1000.0 us (median), clock error 99.0 us');
    expect(latencyText(1_000_000, 100_000)).toBe('one-way latency not known: clock error 100.0 us');
    expect(latencyText(-5, 100_000)).toBe('one-way latency not known: clock error 100.0 us');
    expect(latencyText(undefined, 100_000)).toBe(
      'one-way latency not known: no frame has come; clock error 100.0 us',
    );
    expect(latencyText(1, undefined)).toBe('one-way latency not known: the clocks were not compared yet');
  });

  it('has its median known to 3 %', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.median).toBeUndefined();
    for (let i = 1; i <= 1001; i++) histogram.add(i * 1000);
    expect(Math.abs((histogram.median ?? 0) / 501_000 - 1)).toBeLessThan(0.03);
    histogram.clear();
    histogram.add(-7);
    expect(histogram.median).toBeLessThan(2);
  });
});
