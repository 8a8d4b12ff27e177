import { hex, testFrame } from '@vhostlab/datapath/test-kit';
import { describe, expect, it } from 'vitest';
import { PACKED, runPipeline, SPLIT } from './rig.ts';

const LENGTHS = [60, 1514, 61, 590];

function frames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => hex(testFrame(i, LENGTHS[i % LENGTHS.length])));
}

function send(count: number) {
  return {
    frames: count,
    lengths: LENGTHS,
    startPs: 1e8,
    gapPs: 100_000,
    shape: 'chained' as const,
    faults: [],
  };
}

describe.each(['split', 'packed'] as const)('vhost core of a pipeline, %s ring', (format) => {
  const features = [...(format === 'packed' ? PACKED : SPLIT), 'MRG_RXBUF'];
  const guest = { format, features, receive: { bufferBytes: 1024, segments: 1, unmapped: [] } };

  it('carries frames byte for byte between guest and ring, both ways', () => {
    const outcome = runPipeline([{ ...guest, send: send(150) }], {
      frames: 150,
      lengths: LENGTHS,
      gapPs: 500_000,
    });
    expect(outcome.stage.map(({ bytes }) => bytes)).toEqual(frames(150));
    expect(outcome.stage.every(({ port }) => port === 10)).toBe(true);
    expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(frames(150));
    expect(outcome.drops()).toEqual({});
    const { ops } = outcome.core('host.lcore0');
    expect(ops['switch.ring_enqueue'].count).toBe(150);
    expect(ops['switch.ring_dequeue'].count).toBe(150);
    expect(ops['vhost.copy'].count).toBe(300);
  });

  it('serves two guests on one core and drops what is for nobody', () => {
    const outcome = runPipeline(
      [
        { ...guest, send: send(40) },
        { format: 'split', features: SPLIT, send: send(30), interrupts: true },
      ],
      { frames: 90, ports: [10, 11, 12], gapPs: 2_000_000 },
    );
    expect(outcome.stage.filter(({ port }) => port === 10)).toHaveLength(40);
    expect(outcome.stage.filter(({ port }) => port === 11)).toHaveLength(30);
    expect(outcome.guests.map(({ received }) => received.length)).toEqual([30, 30]);
    expect(outcome.drops()).toEqual({ 'no-port': 30 });
    expect(outcome.core('guest1.vcpu0').counters.called).toBeGreaterThan(0);
    expect(outcome.total('kicks')).toBe(0);
  });

  it('counts what the ring to the switching core cannot take', () => {
    const outcome = runPipeline([{ ...guest, size: 256, send: send(1300) }], { busyUntilPs: 2e9 });
    expect(outcome.drops()).toEqual({ 'stage-ring-full': 1300 - 1024 });
    expect(outcome.stage).toHaveLength(1024);
    expect(outcome.total('frames.offered')).toBe(1300);
  });

  it('gives the same figures and events with replicas of the memory', () => {
    const stage = { frames: 80, lengths: LENGTHS, gapPs: 600_000 };
    const shared = runPipeline([{ ...guest, interrupts: true, send: send(80) }], stage);
    const copied = runPipeline([{ ...guest, interrupts: true, send: send(80) }], stage, true);
    expect(shared.total('frames.delivered')).toBe(160);
    expect(copied.cores).toEqual(shared.cores);
    expect(Buffer.compare(copied.log, shared.log)).toBe(0);
  });
});
