import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  KEY_FIELDS,
  KEY_WORDS,
  KeyExtractor,
  type KeyFieldName,
  readField,
  writeField,
} from '../src/index.ts';
import { be16, be32, frame, ipv4, ipv6, tcp, udp } from './frames.ts';

function keyOf(bytes: Uint8Array, vlanLimit = 2): (name: KeyFieldName) => bigint {
  const keys = new Uint32Array(KEY_WORDS);
  new KeyExtractor(vlanLimit).extract(bytes, 0, bytes.length, 7, keys, 0);
  return (name) => readField(keys, 0, KEY_FIELDS[name]);
}

describe('flow key', () => {
  it('reads a TCP frame', () => {
    const key = keyOf(frame({ payload: ipv4({ proto: 6, tos: 0x28, ttl: 9, body: tcp(1000, 80, 0x12) }) }));
    expect(key('in_port')).toBe(7n);
    expect(key('eth_dst')).toBe(0x020000000001n);
    expect(key('eth_src')).toBe(0x020000000002n);
    expect(key('eth_type')).toBe(0x800n);
    expect(key('vlan_tci')).toBe(0n);
    expect(key('ipv4_src')).toBe(0x0a000001n);
    expect(key('ipv4_dst')).toBe(0x0a000002n);
    expect([key('ip_proto'), key('ip_tos'), key('ip_ttl'), key('ip_frag')]).toEqual([6n, 0x28n, 9n, 0n]);
    expect([key('tp_src'), key('tp_dst'), key('tcp_flags')]).toEqual([1000n, 80n, 0x12n]);
  });

  it('reads two VLAN tags, and one less by limit', () => {
    const bytes = frame({
      tags: [
        [0x88a8, 5],
        [0x8100, 0x6007],
      ],
      payload: ipv4({ proto: 17, body: udp(1, 2, []) }),
    });
    const both = keyOf(bytes);
    expect([both('vlan_tpid'), both('vlan_tci'), both('vlan_tci2')]).toEqual([0x88a8n, 0x1005n, 0x7007n]);
    expect(both('tp_dst')).toBe(2n);
    const one = keyOf(bytes, 1);
    expect([one('vlan_tci'), one('vlan_tci2'), one('eth_type')]).toEqual([0x1005n, 0n, 0x8100n]);
  });

  it('reads fragments as Open vSwitch does', () => {
    const first = keyOf(frame({ payload: ipv4({ proto: 17, fragment: 0x2000, body: udp(1, 2, [0]) }) }));
    expect([first('ip_frag'), first('tp_dst')]).toEqual([1n, 2n]);
    const later = keyOf(frame({ payload: ipv4({ proto: 17, fragment: 0x2005, body: udp(1, 2, [0]) }) }));
    expect([later('ip_frag'), later('tp_dst'), later('ip_proto')]).toEqual([3n, 0n, 17n]);
    const six = frame({
      type: 0x86dd,
      payload: ipv6({ next: 44, body: [17, 0, ...be16(0x18), 0, 0, 0, 1, ...udp(1, 2, [])] }),
    });
    const key = keyOf(six);
    expect([key('ip_proto'), key('ip_frag'), key('tp_src')]).toEqual([44n, 3n, 0n]);
  });

  it('walks IPv6 extension headers', () => {
    const hopByHop = [60, 0, 1, 4, 0, 0, 0, 0];
    const destination = [58, 1, ...new Array<number>(14).fill(0)];
    const body = [...hopByHop, ...destination, 135, 0, 0, 0, 0, 0, 0, 0];
    const key = keyOf(
      frame({ type: 0x86dd, payload: ipv6({ next: 0, label: 0x12345, tos: 0xb8, hops: 255, body }) }),
    );
    expect([key('ip_proto'), key('tp_src'), key('tp_dst')]).toEqual([58n, 135n, 0n]);
    expect([key('ipv6_label'), key('ip_tos'), key('ip_ttl')]).toEqual([0x12345n, 0xb8n, 255n]);
    expect(key('ipv6_src')).toBe(0x20010db8000000000000000000000001n);
    expect(key('ipv6_dst')).toBe(0x20010db8000000000000000000000002n);
  });

  it('keeps addresses and nothing else of an IPv6 packet whose extension headers are cut', () => {
    const key = keyOf(
      frame({ type: 0x86dd, payload: ipv6({ next: 0, label: 9, body: [17, 9, 0, 0, 0, 0, 0, 0] }) }),
    );
    expect(key('ipv6_src')).not.toBe(0n);
    expect([key('ip_proto'), key('ip_ttl'), key('ipv6_label')]).toEqual([0n, 0n, 0n]);
  });

  it('reads ARP, and LLC with and without SNAP', () => {
    const arp = [
      0,
      1,
      8,
      0,
      6,
      4,
      0,
      1,
      1,
      2,
      3,
      4,
      5,
      6,
      ...be32(0x0a000001),
      0,
      0,
      0,
      0,
      0,
      0,
      ...be32(0x0a000009),
    ];
    const key = keyOf(frame({ type: 0x0806, payload: arp }));
    expect([key('ip_proto'), key('ipv4_src'), key('ipv4_dst')]).toEqual([1n, 0x0a000001n, 0x0a000009n]);
    const snap = keyOf(
      frame({
        type: 50,
        payload: [0xaa, 0xaa, 3, 0, 0, 0, 8, 0, ...ipv4({ proto: 17, body: udp(3, 4, []) })],
      }),
    );
    expect([snap('eth_type'), snap('tp_src')]).toEqual([0x800n, 3n]);
    expect(keyOf(frame({ type: 50, payload: [0x42, 0x42, 3, 0, 0, 0, 0, 0] }))('eth_type')).toBe(0x5ffn);
  });

  it.each([
    ['header longer than the packet', [0x4f, 0, 0, 20]],
    ['total length beyond the frame', [0x45, 0, 1, 0]],
    ['total length below the header', [0x45, 0, 0, 19]],
    ['header length below 20', [0x44, 0, 0, 20]],
  ])('leaves network fields zero: %s', (_what, start) => {
    const packet = ipv4({ proto: 17, body: udp(1, 2, []) });
    const key = keyOf(frame({ payload: [...start, ...packet.slice(4)] }));
    expect(key('eth_type')).toBe(0x800n);
    expect([key('ipv4_src'), key('ip_proto'), key('tp_dst')]).toEqual([0n, 0n, 0n]);
  });

  it('never parses padding behind the packet', () => {
    const packet = ipv4({ proto: 17, body: [0, 1, 0, 2] });
    expect(keyOf(frame({ payload: [...packet, ...new Array<number>(20).fill(9)] }))('tp_dst')).toBe(0n);
  });

  it('takes any bytes without reading past the frame', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8100, 0x20),
        (tail, type) => {
          const bytes = frame({ type, payload: [...tail] });
          const extractor = new KeyExtractor();
          const clean = new Uint32Array(KEY_WORDS);
          const dirty = new Uint32Array(KEY_WORDS * 2).fill(5);
          extractor.extract(bytes, 0, bytes.length, 1, clean, 0);
          const noisy = new Uint8Array(bytes.length + 300).fill(0xa5);
          noisy.set(bytes, 100);
          extractor.extract(noisy, 100, bytes.length, 1, dirty, KEY_WORDS);
          expect([...dirty.subarray(KEY_WORDS)]).toEqual([...clean]);
          expect(extractor.l4).toBeLessThan(100 + bytes.length);
        },
      ),
    );
  });

  it('round-trips every field', () => {
    for (const spec of Object.values(KEY_FIELDS)) {
      fc.assert(
        fc.property(fc.bigInt({ min: 0n, max: (1n << BigInt(spec.bits)) - 1n }), (value) => {
          const words = new Uint32Array(KEY_WORDS).fill(0xa5a5a5a5);
          const before = Object.values(KEY_FIELDS).map((other) => readField(words, 0, other));
          writeField(words, 0, spec, value);
          expect(readField(words, 0, spec)).toBe(value);
          writeField(words, 0, spec, before[Object.values(KEY_FIELDS).indexOf(spec)]);
          expect(Object.values(KEY_FIELDS).map((other) => readField(words, 0, other))).toEqual(before);
        }),
        { numRuns: 20 },
      );
    }
  });
});
