import { createSource, FrameHasher } from '@vhostlab/workload';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { type SinkReport, wireTimeBytes } from '../src/index.ts';
import { resultOf, run, START_PS } from './kit.ts';
import { traffic, virtioPlan } from './virtio-plan.ts';

/** Arrivals on the NIC's wire, in picoseconds, by packet. */
function arrivals(spec: ReturnType<typeof traffic>): number[] {
  const outcome = run(virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec }), { stride: 1 });
  const at: number[] = [];
  for (const { stage, packet, atPs } of outcome.events) if (stage === 'wire.rx') at[packet] = atPs;
  return at;
}

const PS_PER_BYTE = 8000 / 25;
const PROPAGATION_PS = 1_000_000;

describe('station', () => {
  it('sends at line rate with 20 bytes of overhead per frame, to the picosecond', () => {
    const at = arrivals(traffic(500));
    // 64 bytes with FCS, 84 with preamble and gap: 26.88 ns at 25 Gbit/s
    at.forEach((moment, i) => {
      expect(moment).toBe(START_PS + PROPAGATION_PS + 26_880 * (i + 1));
    });
  });

  it('paces exactly, however frames are gathered on the way', () => {
    const at = arrivals(traffic(400, { rate: '3Mpps', size: '128' }));
    const source = createSource(traffic(400, { rate: '3Mpps', size: '128' }));
    at.forEach((moment) => {
      source.next();
      const onWire = Math.round(wireTimeBytes(source.length, 0) * PS_PER_BYTE);
      expect(moment).toBe(START_PS + source.atPs + onWire + PROPAGATION_PS);
    });
  });

  it('lets padding cost time and no bytes', () => {
    expect(wireTimeBytes(60, 0)).toBe(84);
    expect(wireTimeBytes(14, 0)).toBe(84);
    expect(wireTimeBytes(61, 0)).toBe(85);
    expect(wireTimeBytes(1514, 0)).toBe(1538);
    // a frame that was captured in part takes the time that it took on the wire
    expect(wireTimeBytes(60, 1518)).toBe(1538);
  });

  it('keeps one request under way at a time, and times it as the requester sees it', () => {
    const outcome = run(
      virtioPlan({ backend: 'vfio', workload: 'rr', traffic: traffic(50), guests: [{ forwards: true }] }),
      { stride: 1 },
    );
    expect(outcome.total('frames.offered')).toBe(50);
    const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
    expect(sink.queues[0].frames).toBe(50);
    const latency = decodeFromCompressedBase64(sink.latency);
    expect(latency.totalCount).toBe(50);
    const arrivals: number[] = [];
    const departures: number[] = [];
    for (const { stage, packet, atPs } of outcome.events) {
      if (stage === 'wire.rx') arrivals[packet] = atPs;
      if (stage === 'wire.tx') departures[packet] = atPs;
    }
    const onWire = 26_880;
    for (let packet = 1; packet < 50; packet++) {
      const answered = departures[packet - 1] + PROPAGATION_PS;
      // 1 us of turnaround, then the frame's time on the wire and the way
      expect(arrivals[packet]).toBe(answered + 1_000_000 + onWire + PROPAGATION_PS);
    }
    const roundTripNs = (departures[20] + PROPAGATION_PS - (arrivals[20] - PROPAGATION_PS - onWire)) / 1000;
    expect(Math.abs(latency.getValueAtPercentile(50) - roundTripNs)).toBeLessThan(roundTripNs / 500);
  });

  it('replays a capture with its bytes', () => {
    const spec = { ...traffic(3), kind: 'pcap' as const, rate: '100kpps' };
    const capture = pcapOf([20, 60, 1514].map((length, i) => Uint8Array.from({ length }, (_, at) => at + i)));
    const plan = virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec });
    const station = plan[0].cores.find(({ id }) => id === 'station');
    Object.assign(station?.config as object, { capture: Buffer.from(capture).toString('base64') });
    const outcome = run(plan);
    const source = createSource(spec, { capture });
    const hasher = new FrameHasher();
    const bytes = new Uint8Array(2000);
    while (source.next()) hasher.add(bytes, 0, source.write(bytes, 0));
    expect(hasher.frames).toBe(3);
    expect(resultOf<{ sha256: string }>(outcome, 'guest0.vcpu0', 'guest').sha256).toBe(hasher.digest());
  });
});

/** A classic pcap file, microseconds, little-endian. */
function pcapOf(frames: Uint8Array[]): Uint8Array {
  const parts = [Buffer.alloc(24)];
  parts[0].writeUInt32LE(0xa1b2c3d4, 0);
  parts[0].writeUInt16LE(2, 4);
  parts[0].writeUInt16LE(4, 6);
  parts[0].writeUInt32LE(65535, 16);
  parts[0].writeUInt32LE(1, 20);
  frames.forEach((frame, i) => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(i, 0);
    head.writeUInt32LE(frame.length, 8);
    head.writeUInt32LE(frame.length, 12);
    parts.push(head, Buffer.from(frame));
  });
  return Buffer.concat(parts);
}
