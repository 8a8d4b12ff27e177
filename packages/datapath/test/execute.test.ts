import { createArena } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ActionExecutor,
  type DatapathAction,
  encodeActions,
  KEY_FIELDS,
  KEY_WORDS,
  KeyExtractor,
  readField,
  writeField,
} from '../src/index.ts';
import { be16, be32, frame, ipv4, ipv6, sum16, tcp, transportResidue, udp, withChecksum } from './frames.ts';

interface Output {
  port: number;
  bytes: Uint8Array;
}

function run(
  bytes: Uint8Array,
  actions: DatapathAction[],
  isPartial = false,
  headroom = 64,
  buffers = 8,
): Output[] {
  const arena = createArena(1 << 16);
  const at = 1024;
  arena.u8.set(bytes, at);
  let next = 8192;
  const executor = new ActionExecutor(arena, {
    copyFrame(offset, length) {
      if (buffers-- === 0) return -1;
      next += 4096;
      arena.copy(next, offset, length);
      return next;
    },
  });
  executor.execute(encodeActions(actions), at, bytes.length, headroom, isPartial);
  return Array.from({ length: executor.count }, (_, i) => ({
    port: executor.outPort[i],
    bytes: arena.u8.slice(executor.outOffset[i], executor.outOffset[i] + executor.outLength[i]),
  }));
}

const out: DatapathAction = { type: 'output', port: 2 };
const ADDRESSES4 = [10, 0, 0, 1, 10, 0, 0, 2];
const udp4 = (data: number[]) => withChecksum(ADDRESSES4, 17, udp(1000, 2000, data), 6);

function setOf(field: keyof typeof KEY_FIELDS, value: bigint): DatapathAction[] {
  const values = new Uint32Array(KEY_WORDS);
  const mask = new Uint32Array(KEY_WORDS);
  writeField(values, 0, KEY_FIELDS[field], value);
  writeField(mask, 0, KEY_FIELDS[field], (1n << 128n) - 1n);
  return [...mask.keys()]
    .filter((w) => mask[w] !== 0)
    .map((word) => ({ type: 'set', word, value: values[word], mask: mask[word] }));
}

function keyOf(bytes: Uint8Array): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  new KeyExtractor().extract(bytes, 0, bytes.length, 0, key, 0);
  return key;
}

describe('VLAN actions', () => {
  const plain = frame({ payload: ipv4({ proto: 17, body: udp4([1, 2, 3]) }) });
  const tagged = frame({ tags: [[0x8100, 0x2064]], payload: ipv4({ proto: 17, body: udp4([1, 2, 3]) }) });

  it('pushes and pops a tag', () => {
    expect(run(plain, [{ type: 'push_vlan', tpid: 0x8100, tci: 0x3064 }, out])).toEqual([
      { port: 2, bytes: tagged },
    ]);
    expect(run(tagged, [{ type: 'pop_vlan' }, out])).toEqual([{ port: 2, bytes: plain }]);
    expect(run(plain, [{ type: 'pop_vlan' }, out])).toEqual([{ port: 2, bytes: plain }]);
  });

  it('gives earlier outputs the frame as it was', () => {
    const outputs = run(plain, [
      { type: 'output', port: 1 },
      { type: 'push_vlan', tpid: 0x8100, tci: 0x2064 },
      out,
    ]);
    expect(outputs).toEqual([
      { port: 1, bytes: plain },
      { port: 2, bytes: tagged },
    ]);
  });

  it('loses a copy without a buffer and drops without headroom', () => {
    const push: DatapathAction = { type: 'push_vlan', tpid: 0x8100, tci: 1 };
    expect(run(plain, [{ type: 'output', port: 1 }, push, out], false, 64, 0).map((o) => o.port)).toEqual([
      2,
    ]);
    expect(run(plain, [push, out], false, 3)).toEqual([]);
    expect(run(plain, [push, push, out], false, 7)).toEqual([]);
    expect(run(tagged, [{ type: 'pop_vlan' }, push, out], false, 0)).toHaveLength(1);
  });

  it('changes a tag and keeps its DEI bit', () => {
    const dei = frame({ tags: [[0x8100, 0x1005]], payload: [1, 2, 3, 4] });
    expect(run(dei, [...setOf('vlan_tci', 0x2007n), out])[0].bytes).toEqual(
      frame({ tags: [[0x8100, 0x3007]], payload: [1, 2, 3, 4] }),
    );
    expect(run(plain, [...setOf('vlan_tci', 7n), out])[0].bytes).toEqual(plain);
  });

  it('stops at drop and outputs nothing for an empty program', () => {
    expect(run(plain, [])).toEqual([]);
    expect(run(plain, [out, { type: 'drop' }, out])).toHaveLength(1);
  });
});

describe('set actions keep checksums true', () => {
  const value = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });

  it('IPv4: header and transport', () => {
    const fields = [
      'ipv4_src',
      'ipv4_dst',
      'ip_tos',
      'ip_ttl',
      'tp_src',
      'tp_dst',
      'eth_src',
      'eth_dst',
    ] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        value,
        fc.constantFrom(6, 17),
        fc.uint8Array({ maxLength: 30 }),
        (field, v, proto, data) => {
          const body =
            proto === 17
              ? udp4([...data])
              : withChecksum(ADDRESSES4, 6, tcp(1000, 2000, 0x10, [...data]), 16);
          const bytes = frame({ tags: [[0x8100, 3]], payload: ipv4({ proto, options: [1, 1, 1, 0], body }) });
          const [{ bytes: got }] = run(bytes, [...setOf(field, v), out]);
          const packet = [...got.subarray(18)];
          expect(sum16(packet.slice(0, 24))).toBe(0xffff);
          expect(transportResidue(packet.slice(12, 20), proto, packet.slice(24))).toBe(0);
          const expected = keyOf(bytes);
          writeField(expected, 0, KEY_FIELDS[field], v);
          expect(keyOf(got)).toEqual(expected);
        },
      ),
    );
  });

  it('IPv6: transport, ICMPv6 too', () => {
    const fields = ['ipv6_src', 'ipv6_dst', 'ip_tos', 'ip_ttl', 'ipv6_label', 'tp_src', 'tp_dst'] as const;
    fc.assert(
      fc.property(fc.constantFrom(...fields), value, fc.constantFrom(6, 17, 58), (field, v, proto) => {
        if (proto === 58 && field.startsWith('tp')) return;
        const clear = ipv6({ next: proto, body: [] }).slice(8);
        const at = proto === 6 ? 16 : proto === 17 ? 6 : 2;
        const raw =
          proto === 6 ? tcp(5, 6, 2) : proto === 17 ? udp(5, 6, [1, 2]) : [128, 0, 0, 0, 1, 2, 3, 4];
        const bytes = frame({
          type: 0x86dd,
          payload: ipv6({ next: proto, body: withChecksum(clear, proto, raw, at) }),
        });
        const [{ bytes: got }] = run(bytes, [...setOf(field, v), out]);
        const packet = [...got.subarray(14)];
        expect(transportResidue(packet.slice(8, 40), proto, packet.slice(40))).toBe(0);
        const expected = keyOf(bytes);
        writeField(expected, 0, KEY_FIELDS[field], v);
        expect(keyOf(got)).toEqual(expected);
      }),
    );
  });

  it('keeps the pseudo-header sum of a partial checksum true', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffffffff }), fc.nat({ max: 0xffff }), (address, port) => {
        const pseudo = (addresses: number[], length: number) => sum16([...addresses, 0, 6, ...be32(length)]);
        const body = tcp(1, 2, 0x10, [1, 2, 3]);
        const sum = be16(pseudo(ADDRESSES4, body.length));
        body[16] = sum[0];
        body[17] = sum[1];
        const bytes = frame({ payload: ipv4({ proto: 6, body }) });
        const actions = [...setOf('ipv4_dst', BigInt(address)), ...setOf('tp_src', BigInt(port)), out];
        const [{ bytes: got }] = run(bytes, actions, true);
        const packet = [...got.subarray(14)];
        const want = pseudo(packet.slice(12, 20), body.length);
        expect(((packet[36] << 8) | packet[37]) % 0xffff).toBe(want % 0xffff);
      }),
    );
  });

  it('leaves an absent UDP checksum absent, and fragments without ports alone', () => {
    const noSum = frame({ payload: ipv4({ proto: 17, body: udp(1, 2, [3]) }) });
    expect([
      ...run(noSum, [...setOf('ipv4_src', 5n), ...setOf('tp_dst', 6n), out])[0].bytes.subarray(40, 42),
    ]).toEqual([0, 0]);
    const later = frame({ payload: ipv4({ proto: 17, fragment: 9, body: udp4([1]) }) });
    expect(run(later, [...setOf('tp_dst', 6n), out])[0].bytes).toEqual(later);
  });

  it('refreshes the CRC of SCTP', () => {
    // RFC 9260 layout; the CRC of the changed packet is compared with that of the same packet built anew.
    const sctp = (src: number) => [...be16(src), ...be16(9), 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4];
    const changed = run(frame({ payload: ipv4({ proto: 132, body: sctp(1) }) }), [
      ...setOf('tp_src', 7n),
      out,
    ])[0].bytes;
    const built = run(frame({ payload: ipv4({ proto: 132, body: sctp(7) }) }), [
      ...setOf('tp_src', 7n),
      out,
    ])[0].bytes;
    expect(changed).toEqual(built);
    expect([...changed.subarray(42, 46)]).not.toEqual([0, 0, 0, 0]);
  });

  it('rewrites ARP addresses', () => {
    const arp = [0, 1, 8, 0, 6, 4, 0, 1, 1, 2, 3, 4, 5, 6, ...be32(1), 0, 0, 0, 0, 0, 0, ...be32(2)];
    const [{ bytes }] = run(frame({ type: 0x0806, payload: arp }), [...setOf('ipv4_dst', 9n), out]);
    expect(readField(keyOf(bytes), 0, KEY_FIELDS.ipv4_dst)).toBe(9n);
  });
});

describe('TTL', () => {
  const of = (ttl: number) => frame({ payload: ipv4({ proto: 17, ttl, body: udp4([]) }) });

  it('is decremented, and 1 is dropped', () => {
    expect(run(of(64), [{ type: 'dec_ttl' }, out])[0].bytes).toEqual(of(63));
    expect(run(of(1), [{ type: 'dec_ttl' }, out])).toEqual([]);
    expect(run(of(0), [{ type: 'dec_ttl' }, out])).toEqual([]);
    const six = (hops: number) => frame({ type: 0x86dd, payload: ipv6({ next: 59, hops, body: [] }) });
    expect(run(six(2), [{ type: 'dec_ttl' }, out])[0].bytes).toEqual(six(1));
  });
});
