import { build, DecodedHeaders, decodeInto, type Layer } from '@vhostlab/packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KEY_FIELDS, KEY_WORDS, KeyExtractor, type KeyFieldName, readField } from '../src/index.ts';

const byte = fc.nat({ max: 255 });
const port = fc.nat({ max: 0xffff });
const ethernet: Layer = { kind: 'ethernet', dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' };
const tags = fc.array(fc.record({ kind: fc.constant('vlan' as const), id: fc.nat({ max: 4095 }) }), {
  maxLength: 2,
});
const network: fc.Arbitrary<Layer[]> = fc.oneof(
  byte.map((a): Layer[] => [{ kind: 'ipv4', src: `10.0.0.${a}`, dst: '192.0.2.1' }]),
  byte.map((a): Layer[] => [{ kind: 'ipv6', src: `2001:db8::${a.toString(16)}`, dst: '2001:db8::1' }]),
  byte.map((a): Layer[] => [
    { kind: 'ipv6', src: `2001:db8::${a.toString(16)}`, dst: '2001:db8::1' },
    { kind: 'ipv6-extension', protocol: 0, body: new Uint8Array(6) },
  ]),
);
const transport: fc.Arbitrary<Layer> = fc.oneof(
  fc.tuple(port, port).map(([srcPort, dstPort]): Layer => ({ kind: 'tcp', srcPort, dstPort })),
  fc.tuple(port, port).map(([srcPort, dstPort]): Layer => ({ kind: 'udp', srcPort, dstPort })),
);
const frames = fc
  .tuple(tags, network, transport)
  .map(([vlans, ip, l4]) => build([ethernet, ...vlans, ...ip, l4]));

/** The packet package's decoder is another parser of the same headers, written apart. */
describe('flow key and decodeInto', () => {
  it('agree on every frame that has no fault, whole or mutated', () => {
    const headers = new DecodedHeaders();
    const extractor = new KeyExtractor();
    const key = new Uint32Array(KEY_WORDS);
    let compared = 0;
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.tuple(fc.nat(), byte), { maxLength: 3 }),
        fc.nat({ max: 40 }),
        (clean, changes, padding) => {
          const frame = new Uint8Array(clean.length + padding);
          frame.set(clean);
          for (const [at, value] of changes) frame[12 + (at % (clean.length - 12))] = value;
          if (!decodeInto(frame, 0, frame.length, headers) || headers.ipVersion === 0) return;
          extractor.extract(frame, 0, frame.length, 3, key, 0);
          const get = (name: KeyFieldName) => Number(readField(key, 0, KEY_FIELDS[name]));
          // A payload length of 0 may mean a jumbogram to the one and means nothing to the other.
          const at = headers.l3Offset;
          if (headers.ipVersion === 6 && frame[at + 4] === 0 && frame[at + 5] === 0) return;
          // Open vSwitch stops at mobility, HIP and shim6 headers, and reads ICMP in any IP.
          if ([135, 139, 140].includes(get('ip_proto'))) return;
          if (![6, 17, 132, headers.ipVersion === 4 ? 1 : 58].includes(headers.ipProto)) return;
          // A later fragment of IPv6 is protocol 44 in a key.
          const isLater6 = headers.ipVersion === 6 && (headers.fragment & 2) !== 0;
          compared++;
          expect(get('eth_type')).toBe(headers.etherType);
          expect(get('vlan_tci') & 0xefff).toBe(headers.vlanTci0 & 0xefff);
          expect(get('vlan_tci2') & 0xefff).toBe(headers.vlanTci1 & 0xefff);
          expect([get('ip_tos'), get('ip_ttl'), get('ip_frag')]).toEqual([
            headers.ipTos,
            headers.ipTtl,
            headers.fragment,
          ]);
          expect(get('ip_proto')).toBe(isLater6 ? 44 : headers.ipProto);
          expect(get('ipv6_label')).toBe(headers.flowLabel);
          expect(get('tcp_flags') & 0xff).toBe(headers.tcpFlags);
          if ((headers.fragment & 2) === 0) {
            expect([get('tp_src'), get('tp_dst')]).toEqual([headers.srcPort, headers.dstPort]);
          }
          expect(extractor.l3).toBe(headers.l3Offset);
          expect(extractor.l3End).toBe(headers.l3End);
        },
      ),
      { numRuns: 2000 },
    );
    expect(compared).toBeGreaterThan(500);
  });
});
