import { describe, expect, it } from 'vitest';
import { PcieLink, type PcieSettings } from '../src/index.ts';

const GEN3X8: PcieSettings = {
  gbps: 57.88,
  writeHeaderBytes: 24,
  readHeaderBytes: 24,
  completionHeaderBytes: 20,
  maxPayloadBytes: 256,
  maxReadRequestBytes: 512,
  readLatencyPs: 480_000,
  outstandingReads: 1024,
};

const COUNT = 20_000;

/** Data rate in Gbit/s of `COUNT` back-to-back transactions of `bytes`. */
function rateGbps(kind: 'read' | 'write', bytes: number, settings: PcieSettings = GEN3X8): number {
  const link = new PcieLink(settings);
  let first = 0;
  let last = 0;
  for (let i = 0; i < COUNT; i++) {
    last = link[kind](0, bytes);
    if (i === 0) first = last;
  }
  return ((COUNT - 1) * bytes * 8000) / (last - first);
}

describe('PcieLink', () => {
  it('reaches the write and read rates of the PCIe model', () => {
    expect(rateGbps('write', 64)).toBeCloseTo(42.1, 1);
    expect(rateGbps('read', 64)).toBeCloseTo(44.1, 1);
    // S / (S + ceil(S / MPS) * header) of the link
    for (const bytes of [256, 512, 1024, 1500, 2048]) {
      const packets = Math.ceil(bytes / 256);
      expect(rateGbps('write', bytes)).toBeCloseTo((57.88 * bytes) / (bytes + packets * 24), 1);
      expect(rateGbps('read', bytes)).toBeCloseTo((57.88 * bytes) / (bytes + packets * 20), 1);
    }
  });

  it('is bound by latency and outstanding requests: 32 at 480 ns are 66.7 million reads a second', () => {
    const rate = rateGbps('read', 8, { ...GEN3X8, gbps: 10_000, outstandingReads: 32 });
    expect((rate * 1e9) / 64 / 1e6).toBeCloseTo(66.6, 0);
    const link = new PcieLink({ ...GEN3X8, outstandingReads: 1 });
    const first = link.read(0, 64);
    expect(link.read(0, 64)).toBeGreaterThanOrEqual(first + 480_000);
    expect(link.stalledPs).toBeGreaterThan(0);
  });

  it('answers a lone read one latency and its bytes later', () => {
    const link = new PcieLink(GEN3X8);
    const psPerByte = 8000 / 57.88;
    expect(link.read(1000, 64)).toBe(
      1000 + Math.round(24 * psPerByte) + 480_000 + Math.round(84 * psPerByte),
    );
  });

  it('splits reads at MRRS and writes at MPS', () => {
    const link = new PcieLink(GEN3X8);
    link.read(0, 1500);
    expect(link.reads).toBe(3);
    expect(link.upBytes).toBe(3 * 24);
    // completions of 512 + 512 + 476 bytes, two TLPs each
    expect(link.downBytes).toBe(1500 + 6 * 20);
    link.write(0, 600);
    expect(link.writes).toBe(3);
    expect(link.upBytes).toBe(3 * 24 + 600 + 3 * 24);
  });

  it('lets a stalled read not hold up writes', () => {
    const link = new PcieLink({ ...GEN3X8, outstandingReads: 1 });
    link.read(0, 64);
    link.read(0, 64);
    expect(link.write(0, 64)).toBeLessThan(100_000);
  });

  it('keeps the order of writes and never goes back', () => {
    const link = new PcieLink(GEN3X8);
    let last = 0;
    for (let i = 0; i < 1000; i++) {
      const done = link.write(i * 3000, 64);
      expect(done).toBeGreaterThan(last);
      expect(done).toBeGreaterThan(i * 3000);
      last = done;
    }
  });

  it('gives the derived packet rates of virtio over PCIe at 64 bytes', () => {
    // per packet and direction: descriptor 16, used 8, payload 76, batch of 32 (index words and doorbell shared)
    const link = new PcieLink(GEN3X8);
    const batches = 500;
    let done = 0;
    for (let b = 0; b < batches; b++) {
      link.read(0, 2);
      link.read(0, 64);
      link.read(0, 512);
      for (let p = 0; p < 32; p++) done = link.read(0, 76);
      link.write(0, 256);
      link.write(0, 2);
    }
    const mpps = (batches * 32 * 1e6) / done;
    expect(mpps).toBeGreaterThan(48.4);
    expect(mpps).toBeLessThan(70);
  });

  it('refuses a link without rate', () => {
    expect(() => new PcieLink({ ...GEN3X8, gbps: 0 })).toThrow(RangeError);
  });
});
