import { hex, testFrame } from '@vhostlab/datapath/test-kit';
import { describe, expect, it } from 'vitest';
import { PACKED, type RigOutcome, runRig, SPLIT } from './rig.ts';

const LENGTHS = [60, 1514, 61, 590, 128, 17];

function sentBytes({ nic }: RigOutcome): string[] {
  return nic.sent.map(({ bytes }) => bytes);
}

function frames(count: number, lengths = LENGTHS): string[] {
  return Array.from({ length: count }, (_, i) => hex(testFrame(i, lengths[i % lengths.length])));
}

/** offered = delivered + drops, over the whole run. */
function expectAllAccounted(outcome: RigOutcome): void {
  const dropped = Object.values(outcome.drops()).reduce((sum, count) => sum + count, 0);
  expect(outcome.total('frames.offered')).toBe(outcome.total('frames.delivered') + dropped);
}

describe.each(['split', 'packed'] as const)('vhost-user, run to completion, %s ring', (format) => {
  const base = format === 'packed' ? PACKED : SPLIT;

  describe.each(['single', 'chained', 'cut-header', 'indirect'] as const)(
    'guest sends %s buffers',
    (shape) => {
      it.each([false, true])('which leave byte for byte (in order: %s)', (inOrder) => {
        const features = inOrder ? [...base, 'IN_ORDER'] : base;
        const send = { frames: 160, lengths: LENGTHS, startPs: 1e8, gapPs: 50_000, shape, faults: [] };
        const outcome = runRig({ guests: [{ format, features, send }] });
        expect(outcome.guests[0].refused).toEqual([]);
        expect(sentBytes(outcome)).toEqual(frames(160));
        expect(outcome.nic.sent.map(({ packet }) => packet)).toEqual(
          Array.from({ length: 160 }, (_, i) => i),
        );
        expect(outcome.drops()).toEqual({});
        expectAllAccounted(outcome);
      });
    },
  );

  it.each([
    {
      name: 'one buffer each',
      features: [],
      receive: { bufferBytes: 2048, segments: 1, unmapped: [] },
      most: 1,
    },
    {
      name: 'chained buffers',
      features: [],
      receive: { bufferBytes: 1800, segments: 3, unmapped: [] },
      most: 1,
    },
    {
      name: 'mergeable buffers',
      features: ['MRG_RXBUF'],
      receive: { bufferBytes: 256, segments: 1, unmapped: [] },
      most: 6,
    },
    {
      name: 'mergeable chained buffers',
      features: ['MRG_RXBUF', 'IN_ORDER'],
      receive: { bufferBytes: 512, segments: 2, unmapped: [] },
      most: 3,
    },
  ])('frames from the wire arrive in $name', ({ features, receive, most }) => {
    const outcome = runRig({
      guests: [{ format, features: [...base, ...features], receive }],
      nic: { frames: 160, lengths: LENGTHS, gapPs: 400_000 },
    });
    const { received } = outcome.guests[0];
    expect(outcome.drops()).toEqual({});
    expect(received.map(({ bytes }) => bytes)).toEqual(frames(160));
    expect(received.map(({ packet }) => packet)).toEqual(Array.from({ length: 160 }, (_, i) => i));
    expect(Math.max(...received.map(({ buffers }) => buffers))).toBe(most);
    expectAllAccounted(outcome);
  });

  it('counts every frame that a full ring costs', () => {
    const outcome = runRig({
      guests: [{ format, size: 16, interrupts: true }],
      nic: { frames: 400, gapPs: 10_000 },
    });
    expect(outcome.drops()['guest-ring-full']).toBeGreaterThan(0);
    expect(outcome.total('frames.delivered')).toBeGreaterThan(16);
    expectAllAccounted(outcome);
  });

  it('drops faulty chains with their reason and gives them back', () => {
    const faults = [
      { packet: 3, kind: 'unmapped' as const },
      { packet: 7, kind: 'short' as const },
      { packet: 70, kind: 'unmapped' as const },
    ];
    const send = {
      frames: 200,
      lengths: LENGTHS,
      startPs: 1e8,
      gapPs: 50_000,
      shape: 'single' as const,
      faults,
    };
    const outcome = runRig({ guests: [{ format, size: 32, send }] });
    expect(outcome.drops()).toEqual({ unmapped: 2, 'too-short': 1 });
    expect(outcome.nic.sent.map(({ packet }) => packet)).toEqual(
      Array.from({ length: 200 }, (_, i) => i).filter((i) => ![3, 7, 70].includes(i)),
    );
    expectAllAccounted(outcome);
  });

  it('loses one frame per receive buffer that is not mapped, and the buffer comes back empty', () => {
    const receive = { bufferBytes: 512, segments: 1, unmapped: [2, 9] };
    const outcome = runRig({
      guests: [{ format, size: 128, features: [...base, 'MRG_RXBUF'], receive }],
      nic: { frames: 100, lengths: [1400], gapPs: 2_000_000 },
    });
    expect(outcome.drops()).toEqual({ unmapped: 2 });
    const { received } = outcome.guests[0];
    expect(received).toHaveLength(98);
    for (const { packet, bytes } of received) expect(bytes).toBe(hex(testFrame(packet, 1400)));
    // buffers in front of the unmapped one that the frame would have used come back as well
    expect(outcome.total('receive.empty')).toBeGreaterThanOrEqual(2);
    expectAllAccounted(outcome);
  });

  it('calls a guest that asks for it, and never one that polls', () => {
    const nic = { frames: 40, gapPs: 3_000_000 };
    const asks = runRig({ guests: [{ format, interrupts: true }], nic });
    expect(asks.total('frames.delivered')).toBe(40);
    expect(asks.total('called')).toBeGreaterThanOrEqual(40);
    expect(asks.total('calls')).toBe(asks.total('called'));
    const polls = runRig({ guests: [{ format }], nic });
    expect(polls.total('frames.delivered')).toBe(40);
    // a back end that takes a ring over cannot know what was signalled: its first call is unconditional
    expect(polls.total('calls')).toBeLessThanOrEqual(1);
    expect(polls.total('kicks')).toBe(0);
  });

  it('goes on with the other queues when one ring is broken', () => {
    const send = {
      frames: 20,
      lengths: [60],
      startPs: 1e8,
      gapPs: 50_000,
      shape: 'single' as const,
      faults: [],
    };
    const outcome = runRig({
      guests: [
        { format: 'split', send, breaksRing: true },
        { format, send: { ...send, frames: 300, gapPs: 1_000_000 } },
      ],
      nic: { frames: 200, gapPs: 1_000_000 },
      outputs: [
        { from: 1, to: [10] },
        { from: 10, to: [1] },
        { from: 11, to: [1] },
      ],
    });
    expect(outcome.core('host.pmd0').counters['violation.avail_jump']).toBe(1);
    expect(outcome.guests[0].received).toHaveLength(200);
    expect(outcome.nic.sent).toHaveLength(320);
    expect(outcome.drops()).toEqual({});
  });

  it('gives the same figures and events with replicas of the memory', () => {
    const send = {
      frames: 150,
      lengths: LENGTHS,
      startPs: 1e8,
      gapPs: 120_000,
      shape: 'chained' as const,
      faults: [],
    };
    const receive = { bufferBytes: 512, segments: 2, unmapped: [5] };
    const options = {
      guests: [{ format, size: 128, features: [...base, 'MRG_RXBUF'], send, receive, interrupts: true }],
      nic: { frames: 150, lengths: LENGTHS, gapPs: 2_000_000 },
    };
    const shared = runRig({ ...options, copyMode: false });
    const copied = runRig({ ...options, copyMode: true });
    expect(shared.total('frames.delivered')).toBe(299);
    expect(copied.cores).toEqual(shared.cores);
    expect(Buffer.compare(copied.log, shared.log)).toBe(0);
    expect(copied.strings).toEqual(shared.strings);
  });
});
