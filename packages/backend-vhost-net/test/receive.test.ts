import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAllAccounted, FEATURES, frames, runRig } from './rig.ts';

const LENGTHS = [60, 1514, 61, 590, 128, 17];

describe('wire to guest', () => {
  it.each([
    { name: 'one buffer each', features: [], receive: {}, most: 1 },
    { name: 'chained buffers', features: [], receive: { bufferBytes: 1800, segments: 3 }, most: 1 },
    { name: 'mergeable buffers', features: ['MRG_RXBUF'], receive: { bufferBytes: 256 }, most: 6 },
  ])('frames arrive byte for byte in $name', ({ features, receive, most }) => {
    const outcome = runRig({
      guests: [{ features: [...FEATURES, ...features], receive }],
      wire: { frames: 200, lengths: LENGTHS, gapsPs: [400_000] },
    });
    const { received } = outcome.guests[0];
    expect(outcome.drops()).toEqual({});
    expect(received.map(({ bytes }) => bytes)).toEqual(frames(200, LENGTHS));
    expect(Math.max(...received.map(({ buffers }) => buffers))).toBe(most);
    expectAllAccounted(outcome);
  });

  it('fills the queue of the tap and drops there when the guest is slow', () => {
    const outcome = runRig({
      guests: [{ size: 16 }],
      wire: { frames: 600, gapsPs: [1000] },
      constants: { 'tap.queueLength': 40 },
    });
    const { counters } = outcome.core('host.softirq0');
    expect(counters['drop.tap-queue-full']).toBeGreaterThan(0);
    expect(outcome.drops()).toEqual({ 'tap-queue-full': counters['drop.tap-queue-full'] });
    expect(outcome.total('frames.delivered')).toBeGreaterThan(40);
    expectAllAccounted(outcome);
  });

  it('hands over everything in the end when the guest is slow and the queue long', () => {
    const outcome = runRig({
      guests: [{ size: 16 }],
      wire: { frames: 600, lengths: LENGTHS, gapsPs: [1000] },
    });
    expect(outcome.drops()).toEqual({});
    expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(frames(600, LENGTHS));
    expect(outcome.total('kicks')).toBeGreaterThan(0);
  });

  it('loses no kick and no interrupt, whatever the distances and sizes', () => {
    const runs = fc.record({
      count: fc.integer({ min: 1, max: 150 }),
      gapsPs: fc.array(fc.integer({ min: 0, max: 2_000_000 }), { minLength: 1, maxLength: 5 }),
      size: fc.constantFrom(8, 16, 64),
      merged: fc.boolean(),
      eventIdx: fc.boolean(),
      interrupts: fc.boolean(),
    });
    fc.assert(
      fc.property(runs, ({ count, gapsPs, size, merged, eventIdx, interrupts }) => {
        const features = FEATURES.filter((name) => eventIdx || name !== 'EVENT_IDX');
        if (merged) features.push('MRG_RXBUF');
        const receive = merged ? { bufferBytes: 256 } : {};
        const outcome = runRig({
          guests: [{ size, features, interrupts, receive }],
          wire: { frames: count, gapsPs, lengths: LENGTHS },
        });
        expect(outcome.drops()).toEqual({});
        expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(frames(count, LENGTHS));
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it('polls in bursts while frames come fast, with one interrupt for many', () => {
    const outcome = runRig({ wire: { frames: 500, gapsPs: [5000] } });
    expect(outcome.total('frames.delivered')).toBe(500);
    expect(outcome.total('interrupts')).toBeLessThan(100);
  });

  it('takes an interrupt for every frame that comes alone', () => {
    const outcome = runRig({ wire: { frames: 25, gapsPs: [20_000_000] } });
    expect(outcome.total('interrupts')).toBe(25);
    expect(outcome.core('host.softirq0').ops['softirq.wakeup'].count).toBeGreaterThanOrEqual(25);
  });

  it('drops a frame that meets a buffer which is not mapped, and counts why', () => {
    const outcome = runRig({
      guests: [{ receive: { unmapped: [2, 5] } }],
      wire: { frames: 200, gapsPs: [300_000] },
    });
    expect(outcome.drops()).toEqual({ unmapped: 2 });
    expectAllAccounted(outcome);
  });

  it('sends frames back to the wire when a flow says so', () => {
    const outcome = runRig({ wire: { frames: 40 }, outputs: [{ from: 1, to: [1] }] });
    expect(outcome.guests[0].received).toEqual([]);
    expect(outcome.core('host.softirq0').ops['nic.kernel_tx'].count).toBe(40);
  });
});

describe('both directions at once', () => {
  it('take turns on one worker', () => {
    const outcome = runRig({
      guests: [{ send: { frames: 300, gapPs: 20_000, lengths: LENGTHS } }],
      wire: { frames: 300, gapsPs: [20_000], lengths: LENGTHS },
    });
    expect(outcome.sent.map(({ bytes }) => bytes)).toEqual(frames(300, LENGTHS));
    expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(frames(300, LENGTHS));
    expectAllAccounted(outcome);
  });
});
