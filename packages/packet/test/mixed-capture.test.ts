import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LayerKind } from '../src/index.ts';
import { findLayer, parse, readCapture } from '../src/index.ts';
import { MIXED_CAPTURE, mixedCapture } from './mixed-capture.ts';
import { mixedFrames } from './mixed-frames.ts';

describe('examples/traffic/mixed.pcapng', () => {
  const file = new Uint8Array(readFileSync(MIXED_CAPTURE));
  const frames = mixedFrames();

  it('is what its generator makes', () => {
    expect(Buffer.from(mixedCapture()).equals(file)).toBe(true);
  });

  it('gives every frame back, on two interfaces with clocks of their own, in order of time', () => {
    const reader = readCapture(file);
    const perInterface = [0, 0];
    let lastNs = 1_767_225_599_999_999_999n;
    for (const frame of frames) {
      expect(reader.next()).toBe(true);
      const bytes = file.subarray(reader.offset, reader.offset + reader.capturedLength);
      expect(Buffer.from(bytes).equals(frame)).toBe(true);
      expect(reader.originalLength).toBe(frame.length);
      expect(reader.timestampNs! > lastNs).toBe(true);
      lastNs = reader.timestampNs!;
      perInterface[reader.interfaceId]++;
    }
    expect(reader.next()).toBe(false);
    expect(lastNs - 1_767_225_600_000_000_000n < 1_000_000_000n).toBe(true);
    expect(reader.interfaces.map((one) => one.timestampResolution)).toEqual([9, 6]);
    expect(Math.min(...perInterface)).toBeGreaterThan(50);
  });

  it('has every runt length and the largest frames', () => {
    const lengths = new Set(frames.map((frame) => frame.length));
    for (let length = 14; length < 60; length++) expect(lengths.has(length)).toBe(true);
    expect(Math.max(...lengths)).toBe(1518);
    expect(frames.filter((frame) => frame.length === 1514).length).toBeGreaterThan(5);
    for (const frame of frames) {
      if (frame.length > 1514) expect(findLayer(parse(frame), 'vlan')).toBeDefined();
    }
  });

  it('has every protocol that the codec knows', () => {
    const kinds: LayerKind[] = [
      ...(['ethernet', 'vlan', 'llc', 'arp', 'ipv4', 'ipv6', 'ipv6-extension', 'ipv6-fragment'] as const),
      ...(['tcp', 'udp', 'sctp', 'icmp', 'vxlan', 'geneve', 'gre', 'payload'] as const),
    ];
    const seen = new Set(frames.flatMap((frame) => parse(frame).layers.map(({ kind }) => kind)));
    expect([...seen].sort()).toEqual([...kinds].sort());
    const later = frames.filter((frame) => (findLayer(parse(frame), 'ipv4')?.fragmentOffset ?? 0) > 0);
    expect(later.length).toBeGreaterThan(3);
  });

  it('is well formed but for the one wrong data offset, and goes one way', () => {
    const errors = frames.flatMap((frame) => parse(frame).error?.message ?? []);
    expect(errors).toEqual(['TCP data offset below 5 or beyond the segment']);
    const sources = new Set(frames.map((frame) => findLayer(parse(frame), 'ethernet')?.src));
    const destinations = new Set(frames.map((frame) => findLayer(parse(frame), 'ethernet')?.dst));
    expect([...sources].filter((mac) => destinations.has(mac))).toEqual([]);
    expect(sources.size).toBe(1);
  });
});
