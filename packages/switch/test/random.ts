import { KEY_FIELDS, KEY_WORDS, type KeyFieldName, writeField } from '@vhostlab/datapath';
import fc from 'fast-check';

/** Values from small sets, so that random rules and random packets meet. */
const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02', 'ff:ff:ff:ff:ff:ff'];
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.1.2.3', '10.128.0.1', '192.168.1.1', '11.0.0.1'];
const ADDRESSES6 = ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1', 'fe80::1'];
const PORTS = [22, 80, 81, 443, 1024];

const maybe = (chance: number, text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(fc.nat({ max: 99 }), text).map(([draw, value]) => (draw < chance ? `,${value}` : ''));
const oneOf = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const prefix = (name: string) =>
  fc.tuple(oneOf(ADDRESSES), oneOf([8, 9, 16, 24, 31, 32])).map(([a, n]) => `${name}=${a}/${n}`);
const prefix6 = (name: string) =>
  fc.tuple(oneOf(ADDRESSES6), oneOf([32, 64, 127, 128])).map(([a, n]) => `${name}=${a}/${n}`);
const portMatch = (name: string) =>
  fc.oneof(
    oneOf(PORTS).map((port) => `${name}=${port}`),
    fc
      .tuple(oneOf(PORTS), oneOf([0xff00, 0xfff0, 0x8000, 0xfffe, 0x000f]))
      .map(([port, mask]) => `${name}=0x${(port & mask).toString(16)}/0x${mask.toString(16)}`),
  );
const flags = oneOf(['tcp_flags=+syn-ack', 'tcp_flags=-rst', 'tcp_flags=0x2/0x12']);

const ipFields = fc
  .tuple(
    maybe(20, oneOf(['nw_tos=0', 'nw_tos=32', 'nw_ecn=1'])),
    maybe(15, oneOf(['nw_ttl=1', 'nw_ttl=64'])),
    maybe(15, oneOf(['nw_frag=no', 'nw_frag=first', 'nw_frag=later', 'nw_frag=not_later'])),
  )
  .map((parts) => parts.join(''));
const network = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 5,
    arbitrary: fc
      .tuple(oneOf(['ip', 'icmp']), maybe(50, prefix('nw_dst')), maybe(40, prefix('nw_src')), ipFields)
      .map(([kind, ...rest]) => `,${kind}${rest.join('')}`),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        oneOf(['tcp', 'udp', 'sctp']),
        maybe(40, prefix('nw_dst')),
        maybe(60, portMatch('tp_dst')),
        maybe(25, portMatch('tp_src')),
        ipFields,
        maybe(30, flags),
      )
      .map(([kind, dst, to, from, ip, tcp]) => `,${kind}${dst}${to}${from}${ip}${kind === 'tcp' ? tcp : ''}`),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        oneOf(['ipv6', 'icmp6']),
        maybe(50, prefix6('ipv6_dst')),
        maybe(30, prefix6('ipv6_src')),
        ipFields,
      )
      .map(([kind, ...rest]) => `,${kind}${rest.join('')}`),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(oneOf(['tcp6', 'udp6']), maybe(60, portMatch('tp_dst')), maybe(30, prefix6('ipv6_dst')))
      .map(([kind, ...rest]) => `,${kind}${rest.join('')}`),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(maybe(60, prefix('arp_tpa')), maybe(40, oneOf(['arp_op=1', 'arp_op=2'])))
      .map((parts) => `,arp${parts.join('')}`),
  },
);
const vlan = oneOf([
  'dl_vlan=100',
  'dl_vlan=200',
  'dl_vlan_pcp=3',
  'vlan_tci=0x0000/0x1fff',
  'vlan_tci=0x1000/0x1000',
]);

const change = oneOf([
  'mod_dl_dst:02:00:00:00:00:09',
  'mod_dl_src:02:00:00:00:00:01',
  'mod_nw_src:10.0.0.1',
  'mod_nw_dst:10.1.2.3',
  'mod_nw_tos:32',
  'mod_nw_ttl:7',
  'mod_tp_src:80',
  'mod_tp_dst:1024',
  'set_field:2001:db8::9->ipv6_dst',
  'set_field:5->ipv6_label',
  'load:1->NXM_NX_REG0[]',
  'load:2->NXM_NX_REG1[]',
  'dec_ttl',
  'mod_vlan_vid:100',
  'mod_vlan_pcp:3',
  'push_vlan:0x8100',
  'push_vlan:0x88a8',
  'strip_vlan',
]);
const leave = oneOf(['output:1', 'output:2', 'output:3', 'in_port', 'flood', 'normal', 'controller']);

/** Tables are left upwards only, so that every pipeline ends; circles have their own test. */
function ruleIn(table: number): fc.Arbitrary<string> {
  const resubmit = table < 3 ? fc.nat({ max: 2 - table }).map((n) => `resubmit(,${table + 1 + n})`) : leave;
  const action = fc.oneof(
    { weight: 3, arbitrary: change },
    { weight: 2, arbitrary: leave },
    { weight: table === 0 ? 4 : 2, arbitrary: resubmit },
  );
  return fc
    .tuple(
      fc.oneof(oneOf([0, 1, 5, 10, 10, 20, 100]), fc.nat({ max: 60_000 }), fc.nat({ max: 60_000 })),
      maybe(35, oneOf(['in_port=1', 'in_port=2', 'in_port=3'])),
      maybe(table === 0 ? 0 : 40, oneOf(['reg0=0', 'reg0=1', 'reg1=2/0x2'])),
      maybe(20, oneOf(MACS.map((mac) => `dl_dst=${mac}`))),
      maybe(10, oneOf(['dl_src=02:00:00:00:00:01', 'dl_src=02:00:00:00:00:00/ff:ff:ff:ff:ff:fe'])),
      maybe(25, vlan),
      network,
      fc.array(action, { minLength: 1, maxLength: 4 }),
    )
    .map(([priority, inPort, reg, dst, src, tag, rest, actions]) => {
      return `table=${table},priority=${priority}${inPort}${reg}${dst}${src}${tag}${rest},actions=${actions.join(',')}`;
    });
}

/** A random pipeline of four tables as text. */
export const randomFlows: fc.Arbitrary<string[]> = fc
  .tuple(...[0, 1, 2, 3].map((table) => fc.array(ruleIn(table), { minLength: 1, maxLength: 12 })))
  .map((tables) => tables.flat());

const macNumber = (mac: string) => BigInt(`0x${mac.replaceAll(':', '')}`);
const ipNumber = (ip: string) => ip.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
const ip6Number = (last: number, net: number) => (0x20010db8n << 96n) | (BigInt(net) << 64n) | BigInt(last);

const packetValues = fc.record({
  in_port: oneOf([1n, 2n, 3n]),
  eth_dst: oneOf(MACS.map(macNumber)),
  eth_src: oneOf(MACS.slice(0, 2).map(macNumber)),
  tags: oneOf([0, 0, 1, 1, 2]),
  vlan_tci: oneOf([0x1000n, 0x1064n, 0x7064n, 0x10c8n]),
  vlan_tpid: oneOf([0x8100n, 0x8100n, 0x88a8n]),
  vlan_tci2: oneOf([0x1064n, 0x1005n]),
  vlan_tpid2: oneOf([0x8100n, 0x88a8n]),
  kind: oneOf(['ip', 'ip', 'ip', 'ipv6', 'arp', 'other', 'malformed']),
  src4: oneOf(ADDRESSES.map(ipNumber)),
  dst4: fc.oneof(oneOf(ADDRESSES.map(ipNumber)), fc.nat({ max: 0xffffffff }).map(BigInt)),
  src6: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 1 })).map(([last, net]) => ip6Number(last, net)),
  dst6: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 1 })).map(([last, net]) => ip6Number(last, net)),
  proto: oneOf([6n, 6n, 17n, 17n, 1n, 58n, 132n, 47n]),
  ip_tos: oneOf([0n, 32n, 33n, 3n]),
  ip_ttl: oneOf([0n, 1n, 2n, 64n, 64n, 64n]),
  ip_frag: oneOf([0n, 0n, 0n, 1n, 3n]),
  ipv6_label: oneOf([0n, 5n]),
  tp_src: oneOf([...PORTS.map(BigInt), 5n]),
  tp_dst: fc.oneof(oneOf(PORTS.map(BigInt)), fc.nat({ max: 0xffff }).map(BigInt)),
  tcp_flags: oneOf([2n, 0x12n, 4n, 0x10n]),
});

/** A random key such as the datapath's extraction yields: fields that a packet lacks are 0. */
export const randomKey: fc.Arbitrary<Uint32Array> = packetValues.map((v) => {
  const key = new Uint32Array(KEY_WORDS);
  const set = (name: KeyFieldName, value: bigint) => writeField(key, 0, KEY_FIELDS[name], value);
  set('in_port', v.in_port);
  set('eth_dst', v.eth_dst);
  set('eth_src', v.eth_src);
  if (v.tags > 0) {
    set('vlan_tci', v.vlan_tci);
    set('vlan_tpid', v.vlan_tpid);
  }
  if (v.tags > 1) {
    set('vlan_tci2', v.vlan_tci2);
    set('vlan_tpid2', v.vlan_tpid2);
  }
  const types = { ip: 0x0800n, malformed: 0x0800n, ipv6: 0x86ddn, arp: 0x0806n, other: 0x88b5n };
  set('eth_type', types[v.kind as keyof typeof types]);
  if (v.kind === 'arp' || v.kind === 'ip') {
    set('ipv4_src', v.src4);
    set('ipv4_dst', v.dst4);
  }
  if (v.kind === 'arp') set('ip_proto', v.proto % 3n);
  if (v.kind !== 'ip' && v.kind !== 'ipv6') return key;
  if (v.kind === 'ipv6') {
    set('ipv6_src', v.src6);
    set('ipv6_dst', v.dst6);
    set('ipv6_label', v.ipv6_label);
  }
  set('ip_proto', v.proto);
  set('ip_tos', v.ip_tos);
  set('ip_ttl', v.ip_ttl);
  set('ip_frag', v.ip_frag);
  if (v.ip_frag === 3n || v.proto === 47n) return key;
  const isIcmp = v.proto === 1n || v.proto === 58n;
  set('tp_src', isIcmp ? v.tp_src % 9n : v.tp_src);
  set('tp_dst', isIcmp ? 0n : v.tp_dst);
  if (v.proto === 6n) set('tcp_flags', v.tcp_flags);
  return key;
});

/** A packet beside `key`: the bits that `mask` leaves free come from `other`. */
export function neighbour(key: Uint32Array, mask: Uint32Array, other: Uint32Array): Uint32Array {
  return key.map((word, w) => ((word & mask[w]) | (other[w] & ~mask[w])) >>> 0);
}

/** True when an extraction could have made this key: absent headers have no fields. */
export function isPossible(key: Uint32Array): boolean {
  const get = (name: KeyFieldName) => {
    const { word, shift, width } = KEY_FIELDS[name].parts[0];
    return (key[word] >>> shift) & (width === 32 ? 0xffffffff : (1 << width) - 1);
  };
  const hasTag = (get('vlan_tci') & 0x1000) !== 0;
  const hasInner = (get('vlan_tci2') & 0x1000) !== 0;
  const isTpid = (tpid: number) => tpid === 0x8100 || tpid === 0x88a8;
  if (hasTag ? !isTpid(get('vlan_tpid')) : get('vlan_tpid') !== 0 || get('vlan_tci') !== 0) return false;
  if (hasInner ? !hasTag || !isTpid(get('vlan_tpid2')) : get('vlan_tpid2') !== 0 || get('vlan_tci2') !== 0)
    return false;
  const proto = get('ip_proto');
  const isIp = get('eth_type') === 0x0800 || get('eth_type') === 0x86dd;
  if (proto !== 6 && get('tcp_flags') !== 0) return false;
  if (!isIp) return get('tp_src') === 0 && get('tp_dst') === 0 && get('ip_frag') === 0 && get('ip_ttl') === 0;
  if (proto === 0)
    return get('tp_src') === 0 && get('tp_dst') === 0 && get('ip_ttl') === 0 && get('ip_tos') === 0;
  if (get('ip_frag') === 3 || proto === 47)
    return get('tp_src') === 0 && get('tp_dst') === 0 && get('tcp_flags') === 0;
  return (proto !== 1 && proto !== 58) || (get('tp_src') < 256 && get('tp_dst') < 256);
}
