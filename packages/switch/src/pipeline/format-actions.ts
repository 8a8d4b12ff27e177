import {
  type DatapathAction,
  KEY_FIELDS,
  KEY_WORDS,
  type KeyFieldName,
  readField,
  W_ETH0,
  W_ETH2,
  W_TP,
  W_TYPE_TCI,
} from '@vhostlab/datapath';
import { formatIpv4, formatIpv6, formatMac } from '@vhostlab/packet';

type SetAction = Extract<DatapathAction, { type: 'set' }>;

/**
 * Datapath actions as Open vSwitch prints them (`odp-util`): `set(eth(dst=…)),push_vlan(vid=5,pcp=0),2`. `key`
 * tells the headers that the sets write to.
 */
export function formatDatapathActions(actions: readonly DatapathAction[], key: Uint32Array): string {
  const parts: string[] = [];
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    switch (action.type) {
      case 'output':
        parts.push(String(action.port));
        break;
      case 'pop_vlan':
      case 'dec_ttl':
      case 'drop':
        parts.push(action.type);
        break;
      case 'push_vlan': {
        const tpid = action.tpid === 0x8100 ? '' : `tpid=0x${action.tpid.toString(16).padStart(4, '0')},`;
        parts.push(`push_vlan(${tpid}vid=${action.tci & 0xfff},pcp=${action.tci >>> 13})`);
        break;
      }
      case 'set': {
        const sets = sameHeader(actions, i);
        parts.push(formatSets(sets, key));
        i += sets.length - 1;
      }
    }
  }
  return parts.length === 0 ? 'drop' : parts.join(',');
}

function headerOf(word: number): 'eth' | 'ip' | 'tp' {
  return word >= W_ETH0 && word <= W_ETH2 ? 'eth' : word === W_TP ? 'tp' : 'ip';
}

function sameHeader(actions: readonly DatapathAction[], from: number): SetAction[] {
  const sets: SetAction[] = [];
  for (let i = from; i < actions.length; i++) {
    const action = actions[i];
    if (action.type !== 'set' || (sets[0] !== undefined && headerOf(action.word) !== headerOf(sets[0].word)))
      break;
    sets.push(action);
  }
  return sets;
}

function formatSets(sets: readonly SetAction[], key: Uint32Array): string {
  const value = new Uint32Array(KEY_WORDS);
  const mask = new Uint32Array(KEY_WORDS);
  for (const set of sets) {
    value[set.word] = set.value;
    mask[set.word] = set.mask;
  }
  const isIpv6 = key[W_TYPE_TCI] >>> 16 === 0x86dd;
  const number = (name: KeyFieldName, text: string): string => field(value, mask, name, text, String);
  const hex = (name: KeyFieldName, text: string): string =>
    field(value, mask, name, text, (v) => `0x${v.toString(16)}`);
  const header = headerOf(sets[0].word);
  let name: string = header;
  let parts: string[];
  if (header === 'eth') {
    const mac = (bits: bigint) => formatMac(bytes(bits, 6));
    parts = [field(value, mask, 'eth_src', 'src', mac), field(value, mask, 'eth_dst', 'dst', mac)];
  } else if (header === 'tp') {
    const protocol = Number(readField(key, 0, KEY_FIELDS.ip_proto));
    name = protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : 'sctp';
    parts = [number('tp_src', 'src'), number('tp_dst', 'dst')];
  } else if (isIpv6) {
    name = 'ipv6';
    const address = (bits: bigint) => formatIpv6(bytes(bits, 16));
    parts = [field(value, mask, 'ipv6_src', 'src', address), field(value, mask, 'ipv6_dst', 'dst', address)];
    parts.push(hex('ipv6_label', 'label'), hex('ip_tos', 'tclass'), number('ip_ttl', 'hlimit'));
  } else {
    name = 'ipv4';
    const address = (bits: bigint) => formatIpv4(bytes(bits, 4));
    parts = [field(value, mask, 'ipv4_src', 'src', address), field(value, mask, 'ipv4_dst', 'dst', address)];
    parts.push(hex('ip_tos', 'tos'), number('ip_ttl', 'ttl'));
  }
  return `set(${name}(${parts.filter((part) => part !== '').join(',')}))`;
}

function field(
  value: Uint32Array,
  mask: Uint32Array,
  name: KeyFieldName,
  text: string,
  format: (value: bigint) => string,
): string {
  const spec = KEY_FIELDS[name];
  const bits = readField(mask, 0, spec);
  if (bits === 0n) return '';
  const isExact = bits === (1n << BigInt(spec.bits)) - 1n;
  return `${text}=${format(readField(value, 0, spec))}${isExact ? '' : `/${format(bits)}`}`;
}

function bytes(value: bigint, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => Number((value >> BigInt(8 * (count - 1 - i))) & 255n));
}
