import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAllAccounted, FEATURES, frames, runRig } from './rig.ts';

const LENGTHS = [60, 1514, 61, 590, 128, 17];

describe('guest to wire', () => {
  it.each(['single', 'chained', 'cut-header', 'indirect'] as const)(
    'frames in %s buffers leave byte for byte, in order',
    (shape) => {
      const outcome = runRig({ guests: [{ send: { frames: 200, lengths: LENGTHS, gapPs: 50_000, shape } }] });
      expect(outcome.guests[0].refused).toEqual([]);
      expect(outcome.sent.map(({ bytes }) => bytes)).toEqual(frames(200, LENGTHS));
      expect(outcome.sent.map(({ packet }) => packet)).toEqual(Array.from({ length: 200 }, (_, i) => i));
      expect(outcome.drops()).toEqual({});
      expectAllAccounted(outcome);
    },
  );

  it('loses no kick, whatever the distance of the frames and the size of the ring', () => {
    const runs = fc.record({
      frames: fc.integer({ min: 1, max: 120 }),
      gapPs: fc.integer({ min: 0, max: 1_500_000 }),
      size: fc.constantFrom(2, 4, 16, 64),
      eventIdx: fc.boolean(),
      interrupts: fc.boolean(),
    });
    fc.assert(
      fc.property(runs, ({ frames: count, gapPs, size, eventIdx, interrupts }) => {
        const features = FEATURES.filter((name) => eventIdx || name !== 'EVENT_IDX');
        const outcome = runRig({ guests: [{ size, features, interrupts, send: { frames: count, gapPs } }] });
        expect(outcome.sent.map(({ packet }) => packet)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('sleeps between frames that are far apart, and is kicked for each', () => {
    const outcome = runRig({ guests: [{ send: { frames: 20, gapPs: 20_000_000 } }] });
    const worker = outcome.core('host.vhost0.0');
    expect(outcome.total('kicks')).toBeGreaterThanOrEqual(20);
    expect(worker.ops['vhost.wakeup'].count).toBeGreaterThanOrEqual(20);
    expect(worker.busyPs).toBeLessThan(20 * 20_000_000 * 0.1);
  });

  it('needs few kicks while it is busy', () => {
    const outcome = runRig({ guests: [{ send: { frames: 400, gapPs: 0 } }] });
    expect(outcome.sent).toHaveLength(400);
    expect(outcome.total('kicks')).toBeLessThan(40);
  });

  it('makes a guest wait that is faster than the NIC', () => {
    // nothing is completed before the ring has its first report: the send buffer is the limit
    const outcome = runRig({ guests: [{ size: 256, send: { frames: 3000, gapPs: 0 } }] });
    expect(outcome.sent).toHaveLength(3000);
    expect(outcome.drops()).toEqual({});
  });

  it('drops faulty buffers with their reason and gives them back', () => {
    const faults = [
      { packet: 3, kind: 'unmapped' as const },
      { packet: 7, kind: 'short' as const },
      { packet: 70, kind: 'unmapped' as const },
    ];
    const outcome = runRig({ guests: [{ size: 32, send: { frames: 200, gapPs: 50_000, faults } }] });
    expect(outcome.drops()).toEqual({ unmapped: 2, 'too-short': 1 });
    expect(outcome.sent).toHaveLength(197);
    expectAllAccounted(outcome);
  });

  it('lives on when the guest breaks its ring', () => {
    const outcome = runRig({
      guests: [{ send: { frames: 50, gapPs: 50_000 }, breaksRing: true }],
      wire: { frames: 100, gapsPs: [400_000] },
    });
    expect(outcome.sent).toHaveLength(50);
    expect(outcome.guests[0].received).toHaveLength(100);
  });

  it('drops frames that no flow takes', () => {
    const outcome = runRig({ guests: [{ send: { frames: 10 } }], outputs: [] });
    expect(outcome.drops()).toEqual({ 'flow-action': 10 });
    expectAllAccounted(outcome);
  });

  it('drops frames for ports that its bridge does not have', () => {
    const outcome = runRig({ guests: [{ send: { frames: 10 } }], outputs: [{ from: 10, to: [77] }] });
    expect(outcome.drops()).toEqual({ 'no-port': 10 });
  });

  it('gives the same figures and events with replicas of the memory', () => {
    const options = { guests: [{ send: { frames: 60, gapPs: 150_000 } }], wire: { frames: 60 } };
    const shared = runRig(options);
    const copied = runRig({ ...options, copyMode: true });
    expect(copied.cores).toEqual(shared.cores);
    expect(Buffer.compare(copied.log, shared.log)).toBe(0);
  });
});
