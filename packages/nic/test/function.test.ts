import { build } from '@vhostlab/packet';
import type { FeatureName } from '@vhostlab/virtio-net';
import { createSource, FrameHasher, type TrafficSpec } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import type { SinkReport } from '../src/index.ts';
import { HEADER } from './guest-core.ts';
import { resultOf, run } from './kit.ts';
import { traffic, virtioPlan } from './virtio-plan.ts';

interface GuestReport {
  sha256: string;
  frames: number;
  features: string[];
  received: { length: number; flags: number; gsoType: number; buffers: number }[];
  txViolation: number;
}

const BASE: FeatureName[] = ['VERSION_1', 'ACCESS_PLATFORM'];
const RINGS: { name: string; features: FeatureName[] }[] = [
  { name: 'split', features: BASE },
  { name: 'split with event index', features: [...BASE, 'EVENT_IDX'] },
  { name: 'split in order', features: [...BASE, 'IN_ORDER'] },
  { name: 'packed', features: [...BASE, 'RING_PACKED'] },
  { name: 'packed with event index', features: [...BASE, 'RING_PACKED', 'EVENT_IDX'] },
];

/** Frames of the lengths (without FCS), as a guest sends them: base64 with an empty header in front. */
function frames(...lengths: number[]): string[] {
  return lengths.map((length, i) => {
    const bytes = new Uint8Array(HEADER + length);
    const head = build([
      { kind: 'ethernet', dst: '02:00:00:00:00:01', src: '02:00:00:00:00:02', etherType: 0x88b5 },
    ]);
    bytes.set(head.subarray(0, Math.min(14, length)), HEADER);
    for (let at = HEADER + 14; at < bytes.length; at++) bytes[at] = at * 7 + i;
    return Buffer.from(bytes).toString('base64');
  });
}

function hashOfFrames(list: string[], count: number): string {
  const hasher = new FrameHasher();
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.from(list[i % list.length], 'base64').subarray(HEADER);
    hasher.add(bytes, 0, bytes.length);
  }
  return hasher.digest();
}

function hashOfSource(spec: TrafficSpec): string {
  const source = createSource(spec);
  const bytes = new Uint8Array(70_000);
  const hasher = new FrameHasher();
  while (source.next()) hasher.add(bytes, 0, source.write(bytes, 0));
  return hasher.digest();
}

for (const backend of ['vfio', 'vdpa'] as const) {
  describe(`${backend} function`, () => {
    for (const { name, features } of RINGS) {
      it(`sends what a ${name} ring holds, unchanged and in order`, () => {
        const list = frames(60, 20, 1514, 15, 333);
        const count = 700;
        const outcome = run(
          virtioPlan({
            backend,
            workload: 'tx',
            traffic: traffic(1),
            guests: [{ features, frames: list, count }],
          }),
        );
        const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
        expect(outcome.drops).toEqual({});
        expect(sink.queues[0].frames).toBe(count);
        expect(sink.queues[0].sha256).toBe(hashOfFrames(list, count));
      });

      it(`receives into a ${name} ring, unchanged and in order`, () => {
        const spec = traffic(600, { size: 'imix', rate: '1Mpps', flows: 5 });
        const outcome = run(virtioPlan({ backend, workload: 'rx', traffic: spec, guests: [{ features }] }));
        const guest = resultOf<GuestReport>(outcome, 'guest0.vcpu0', 'guest');
        expect(outcome.drops).toEqual({});
        expect(guest.frames).toBe(600);
        expect(guest.sha256).toBe(hashOfSource(spec));
      });

      it(`wakes a sleeping guest with a ${name} ring for every frame that is alone`, () => {
        const spec = traffic(60, { rate: '20000pps' });
        const outcome = run(
          virtioPlan({
            backend,
            workload: 'pvp',
            traffic: spec,
            guests: [{ features, forwards: true, interrupts: true }],
          }),
        );
        expect(outcome.total('frames.offered')).toBe(60);
        expect(resultOf<SinkReport>(outcome, 'station', 'sink').queues[0].frames).toBe(60);
        expect(outcome.total('interrupts')).toBeGreaterThan(55);
      });
    }

    it('counts every frame when the guest is slower than the wire', () => {
      const outcome = run(
        virtioPlan({ backend, workload: 'pvp', traffic: traffic(8000), guests: [{ forwards: true }] }),
      );
      expect(outcome.total('frames.offered')).toBe(8000);
      expect(outcome.dropped).toBeGreaterThan(1000);
      expect(outcome.total('frames.delivered') + outcome.dropped).toBe(8000);
    });

    it('carries frames from guest to guest through the eswitch, over PCIe twice', () => {
      const list = frames(60, 1514, 200);
      const outcome = run(
        virtioPlan({
          backend,
          workload: 'v2v',
          traffic: traffic(1),
          guests: [{ frames: list, count: 600 }, {}],
        }),
      );
      const guest = resultOf<GuestReport>(outcome, 'guest1.vcpu0', 'guest');
      expect(guest.frames + outcome.dropped).toBe(600);
      const bytes = list.reduce((sum, frame) => sum + Buffer.from(frame, 'base64').length, 0) * 200;
      const { pcie } = resultOf<{ pcie: { upBytes: number; downBytes: number } }>(outcome, 'nic0', 'nic');
      expect(pcie.downBytes).toBeGreaterThan(bytes);
      expect(pcie.upBytes).toBeGreaterThan(bytes * (guest.frames / 600));
    });

    it('gives the same run in copy mode, byte for byte of the log', () => {
      const setup = {
        backend,
        workload: 'pvp' as const,
        traffic: traffic(2000, { rate: '6Mpps' }),
        guests: [{ forwards: true }],
      };
      const shared = run(virtioPlan(setup), { stride: 7 });
      const copied = run(virtioPlan(setup), { stride: 7, copyMode: true });
      expect(copied.log.equals(shared.log)).toBe(true);
      expect(shared.events.length).toBeGreaterThan(500);
    });
  });
}

describe('virtio function', () => {
  it('negotiates what it offers and no more', () => {
    const wants: FeatureName[] = [...BASE, 'EVENT_IDX', 'CSUM', 'GUEST_CSUM', 'MRG_RXBUF', 'HASH_REPORT'];
    const outcome = run(
      virtioPlan({ backend: 'vfio', workload: 'rx', traffic: traffic(1), guests: [{ features: wants }] }),
    );
    const { features } = resultOf<GuestReport>(outcome, 'guest0.vcpu0', 'guest');
    expect(features).toEqual(['EVENT_IDX', 'VERSION_1', 'ACCESS_PLATFORM']);
  });

  it('gathers chains of several descriptors', () => {
    const list = frames(60, 1514, 77);
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'tx',
        traffic: traffic(1),
        guests: [{ frames: list, count: 300, chained: true }],
      }),
    );
    const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
    expect(sink.queues[0].sha256).toBe(hashOfFrames(list, 300));
  });

  it('completes checksums and cuts GSO frames with correct bytes', () => {
    const mss = 1000;
    const payload = Uint8Array.from({ length: 2500 }, (_, i) => i * 3);
    const layers = (bytes: Uint8Array, seq: number) =>
      build([
        { kind: 'ethernet', dst: '02:00:00:00:00:01', src: '02:00:00:00:00:02' },
        { kind: 'ipv4', src: '10.0.0.1', dst: '10.0.0.2' },
        { kind: 'tcp', srcPort: 1, dstPort: 2, seq, flags: 0x10 },
        { kind: 'payload', bytes },
      ] as never);
    const whole = layers(payload, 100);
    const bytes = new Uint8Array(HEADER + whole.length);
    bytes.set(whole, HEADER);
    // NEEDS_CSUM, TCPv4, hdr_len 54, gso_size, csum_start 34, csum_offset 16
    bytes.set([1, 1, 54, 0, mss & 0xff, mss >> 8, 34, 0, 16, 0, 0, 0]);
    bytes[HEADER + 34 + 16] = 0;
    bytes[HEADER + 34 + 17] = 0;
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'stream',
        traffic: traffic(1),
        offloads: { csum: true, tso: true },
        guests: [
          {
            features: [...BASE, 'CSUM', 'HOST_TSO4'],
            frames: [Buffer.from(bytes).toString('base64')],
            count: 1,
          },
        ],
      }),
    );
    const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
    expect(outcome.drops).toEqual({});
    expect(sink.queues[0].frames).toBe(3);
    const expected = new FrameHasher();
    for (let i = 0; i < 3; i++) {
      const segment = layers(payload.subarray(i * mss, (i + 1) * mss), 100 + i * mss);
      // identification goes up by one per segment
      segment[14 + 5] += i;
      rewriteIpChecksum(segment);
      expected.add(segment, 0, segment.length);
    }
    expect(sink.queues[0].sha256).toBe(expected.digest());
  });

  it('refuses a header whose offloads were not negotiated', () => {
    const list = frames(100);
    const bytes = Buffer.from(list[0], 'base64');
    bytes.set([1, 0, 0, 0, 0, 0, 34, 0, 16, 0]);
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'tx',
        traffic: traffic(1),
        guests: [{ frames: [bytes.toString('base64')], count: 5 }],
      }),
    );
    expect(outcome.drops).toEqual({ 'header-csum-not-negotiated': 5 });
  });

  it('merges receive buffers when that was negotiated', () => {
    const spec = traffic(50, { size: '1518', rate: '100000pps' });
    const features: FeatureName[] = [...BASE, 'MRG_RXBUF'];
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'rx',
        traffic: spec,
        offloads: { mrg: true },
        guests: [{ features, rxBufferBytes: 600 }],
      }),
    );
    const guest = resultOf<GuestReport>(outcome, 'guest0.vcpu0', 'guest');
    expect(guest.frames).toBe(50);
    expect(guest.received.every(({ buffers }) => buffers === 3)).toBe(true);
    expect(guest.sha256).toBe(hashOfSource(spec));
    const small = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'rx',
        traffic: spec,
        guests: [{ features: BASE, rxBufferBytes: 600 }],
      }),
    );
    expect(small.drops).toEqual({ 'guest-buffer-small': 50 });
  });

  it('says that checksums are good when the guest wants to know', () => {
    const features: FeatureName[] = [...BASE, 'GUEST_CSUM'];
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'rx',
        traffic: traffic(5, { rate: '10000pps' }),
        offloads: { csum: true },
        guests: [{ features }],
      }),
    );
    const { received } = resultOf<GuestReport>(outcome, 'guest0.vcpu0', 'guest');
    expect(received.map(({ flags }) => flags)).toEqual([2, 2, 2, 2, 2]);
  });

  it('drops frames of buffers that are not mapped, and goes on', () => {
    const maps = [
      { iova: 0, bytes: 0x100_000 },
      // the page of transmit buffer 4 is left out: buffers are 4 KiB apart
      { iova: 0x100_000, bytes: 0x4000 },
      { iova: 0x105_000, bytes: 0x7fb_000 },
    ];
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'tx',
        traffic: traffic(1),
        maps,
        guests: [{ frames: frames(100), count: 1000 }],
      }),
    );
    expect(outcome.drops.unmapped).toBeGreaterThan(0);
    expect(Object.keys(outcome.drops)).toEqual(['unmapped']);
    expect(outcome.total('frames.delivered') + outcome.dropped).toBe(1000);
  });

  it('breaks only the queue whose ring makes no sense', () => {
    const spec = traffic(200, { rate: '100000pps' });
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'rx',
        traffic: spec,
        guests: [{ features: BASE, frames: frames(60), count: 100, hostileAfter: 40 }],
      }),
    );
    expect(outcome.total('queue-broken.avail-jump')).toBe(1);
    expect(resultOf<GuestReport>(outcome, 'guest0.vcpu0', 'guest').frames).toBe(200);
  });

  it('records a transmitted packet in the order of the stages', () => {
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'tx',
        traffic: traffic(1),
        guests: [{ frames: frames(60), count: 40 }],
      }),
      { stride: 1 },
    );
    const events = outcome.events.filter(({ core, packet }) => core === 'nic0' && packet === 37);
    events.sort((x, y) => x.atPs - y.atPs);
    expect(events.map(({ stage }) => stage).filter((stage) => stage !== 'representor.rx')).toEqual([
      'nic.desc_read',
      'nic.dma_read',
      'nic.eswitch',
      'wire.tx',
    ]);
  });

  it('saves round trips with a packed ring', () => {
    const latencyNs = (features: FeatureName[]) => {
      const outcome = run(
        virtioPlan({
          backend: 'vfio',
          workload: 'pvp',
          traffic: traffic(40, { rate: '20000pps' }),
          guests: [{ features, forwards: true }],
        }),
      );
      const { lastPs } = resultOf<SinkReport>(outcome, 'station', 'sink');
      return lastPs / 1000;
    };
    const saved = latencyNs(BASE) - latencyNs([...BASE, 'RING_PACKED']);
    // index read and ring read of the transmit queue: two dependent round trips of 480 ns
    expect(saved).toBeGreaterThan(900);
    expect(saved).toBeLessThan(1100);
  });

  it('suspends with nothing in flight and resumes where it stood', () => {
    for (const features of [BASE, [...BASE, 'RING_PACKED' as const]]) {
      const list = frames(60, 1514, 200);
      const outcome = run(
        virtioPlan({
          backend: 'vdpa',
          workload: 'tx',
          traffic: traffic(1),
          pauses: [{ fromPs: 2_030_000_000, toPs: 2_200_000_000 }],
          guests: [{ features, frames: list, count: 2000 }],
        }),
      );
      const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
      expect(outcome.drops).toEqual({});
      expect(sink.queues[0].frames).toBe(2000);
      expect(sink.queues[0].sha256).toBe(hashOfFrames(list, 2000));
      expect(sink.lastPs).toBeGreaterThan(2_200_000_000);
    }
  });
});

function rewriteIpChecksum(frame: Uint8Array): void {
  frame[24] = 0;
  frame[25] = 0;
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += (frame[at] << 8) | frame[at + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const value = ~sum & 0xffff;
  frame[24] = value >>> 8;
  frame[25] = value & 0xff;
}
