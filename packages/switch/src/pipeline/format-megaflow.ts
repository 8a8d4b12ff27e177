import { formatIpv4, formatIpv6, formatMac } from '@vhostlab/packet';
import { prefixLength } from './prefix-trie.ts';
import {
  isIp,
  P_ETH0,
  P_ETH1,
  P_ETH2,
  P_IN_PORT,
  P_IP6_DST,
  P_IP6_SRC,
  P_LABEL,
  P_NW,
  P_NW_DST,
  P_NW_SRC,
  P_PORTS,
  P_RECIRC,
  P_TCP_FLAGS,
  P_TUN_ID,
  P_TYPE,
  P_VLAN0,
} from './words.ts';

const PROTOCOLS4: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' };
const PROTOCOLS6: Record<number, string> = { 58: 'icmp6', 6: 'tcp6', 17: 'udp6', 132: 'sctp6' };
const FRAGMENTS = ['no', 'first', '<error>', 'later'];
const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];

/** A flow under its wildcards as ofproto/trace prints it behind "Megaflow: ". */
export function formatMegaflow(flow: Uint32Array, wildcards: Uint32Array): string {
  return new MegaflowFormat(flow, wildcards).parts.join(',');
}

class MegaflowFormat {
  readonly parts: string[] = [];
  readonly #flow: Uint32Array;
  readonly #mask: Uint32Array;

  constructor(flow: Uint32Array, mask: Uint32Array) {
    this.#flow = flow;
    this.#mask = mask;
    this.parts.push(`recirc_id=${hexUnlessZero(flow[P_RECIRC])}`, 'eth');
    const type = flow[P_TYPE];
    const isNamed = this.#typeName(type);
    if (mask[P_TUN_ID] !== 0) this.parts.push(`tun_id=0x${flow[P_TUN_ID].toString(16)}`);
    this.parts.push(`in_port=${flow[P_IN_PORT]}`);
    this.#vlans();
    this.#mac('dl_src', (word) => macBytes(word, false));
    this.#mac('dl_dst', (word) => macBytes(word, true));
    if (!isNamed) this.parts.push(`dl_type=0x${type.toString(16).padStart(4, '0')}`);
    this.#addresses(type);
    this.#network(type);
    this.#transport(type);
  }

  /** True when the EtherType needs no words of its own. */
  #typeName(type: number): boolean {
    const name = type === 0x0800 ? 'ip' : type === 0x86dd ? 'ipv6' : type === 0x0806 ? 'arp' : '';
    if (name === '') return false;
    this.parts.push(this.#protocolName(type) ?? name);
    return true;
  }

  /** Name of the protocol when it is matched and has one. */
  #protocolName(type: number): string | undefined {
    if (this.#mask[P_NW] >>> 24 === 0) return undefined;
    const protocol = this.#flow[P_NW] >>> 24;
    return type === 0x0800 ? PROTOCOLS4[protocol] : type === 0x86dd ? PROTOCOLS6[protocol] : undefined;
  }

  #vlans(): void {
    for (const [i, suffix] of ['', '1'].entries()) {
      const mask = this.#mask[P_VLAN0 + i] & 0xffff;
      if (mask === 0) return;
      const tci = this.#flow[P_VLAN0 + i] & 0xffff;
      const vid = mask & 0x0fff;
      const pcp = mask & 0xe000;
      const isPlain = (vid === 0 || vid === 0x0fff) && (pcp === 0 || pcp === 0xe000) && (mask & 0xefff) !== 0;
      if ((mask & tci & 0x1000) !== 0 && isPlain) {
        if (vid !== 0) this.parts.push(`dl_vlan${suffix}=${tci & 0xfff}`);
        if (pcp !== 0) this.parts.push(`dl_vlan_pcp${suffix}=${tci >>> 13}`);
      } else this.parts.push(`vlan_tci${suffix}=${masked(hex4(tci & mask), hex4(mask), mask === 0xffff)}`);
    }
  }

  #mac(name: string, bytesOf: (words: Uint32Array) => Uint8Array): void {
    const mask = bytesOf(this.#mask);
    if (mask.every((byte) => byte === 0)) return;
    const value = bytesOf(this.#flow).map((byte, i) => byte & mask[i]);
    const isExact = mask.every((byte) => byte === 0xff);
    this.parts.push(`${name}=${masked(formatMac(value), formatMac(mask), isExact)}`);
  }

  #addresses(type: number): void {
    if (type === 0x86dd) {
      this.#ipv6('ipv6_src', P_IP6_SRC);
      this.#ipv6('ipv6_dst', P_IP6_DST);
      const label = this.#mask[P_LABEL];
      if (label !== 0) {
        const value = hex5(this.#flow[P_LABEL] & label);
        this.parts.push(`ipv6_label=${masked(value, hex5(label), label === 0xfffff)}`);
      }
      return;
    }
    const isArp = type === 0x0806 || type === 0x8035;
    this.#ipv4(isArp ? 'arp_spa' : 'nw_src', P_NW_SRC);
    this.#ipv4(isArp ? 'arp_tpa' : 'nw_dst', P_NW_DST);
  }

  #ipv4(name: string, word: number): void {
    const mask = this.#mask[word];
    if (mask === 0) return;
    const length = prefixLength(mask);
    const maskText = length > 0 ? String(length) : formatIpv4(bytesOf([mask]));
    this.parts.push(
      `${name}=${masked(formatIpv4(bytesOf([this.#flow[word] & mask])), maskText, mask === 0xffffffff)}`,
    );
  }

  #ipv6(name: string, word: number): void {
    const mask = [...this.#mask.subarray(word, word + 4)];
    if (mask.every((bits) => bits === 0)) return;
    const bits = mask.map((m) => m.toString(2).padStart(32, '0')).join('');
    const length = bits.indexOf('0') < 0 ? 128 : bits.indexOf('0');
    const isPrefix = !bits.slice(length).includes('1');
    const value = formatIpv6(bytesOf(mask.map((m, i) => this.#flow[word + i] & m)));
    this.parts.push(
      `${name}=${masked(value, isPrefix ? String(length) : formatIpv6(bytesOf(mask)), length === 128)}`,
    );
  }

  #network(type: number): void {
    const value = this.#flow[P_NW];
    const mask = this.#mask[P_NW];
    if (mask >>> 24 !== 0 && this.#protocolName(type) === undefined) {
      this.parts.push(`${type === 0x0806 || type === 0x8035 ? 'arp_op' : 'nw_proto'}=${value >>> 24}`);
    }
    if ((mask & 0xfc0000) !== 0) this.parts.push(`nw_tos=${((value & mask) >>> 16) & 0xfc}`);
    if ((mask & 0x030000) !== 0) this.parts.push(`nw_ecn=${((value & mask) >>> 16) & 3}`);
    if ((mask & 0xff00) !== 0) this.parts.push(`nw_ttl=${(value >>> 8) & 0xff}`);
    if ((mask & 3) !== 0) this.parts.push(`nw_frag=${FRAGMENTS[value & 3]}`);
  }

  #transport(type: number): void {
    const protocol = this.#flow[P_NW] >>> 24;
    const isIcmp = (type === 0x0800 && protocol === 1) || (type === 0x86dd && protocol === 58);
    this.#port(isIcmp ? 'icmp_type' : 'tp_src', 16);
    this.#port(isIcmp ? 'icmp_code' : 'tp_dst', 0);
    const flags = this.#mask[P_TCP_FLAGS] & 0xfff;
    if (!isIp(this.#flow) || protocol !== 6 || flags === 0) return;
    const names = TCP_FLAGS.map((name, i) => {
      if (((flags >>> i) & 1) === 0) return '';
      return `${((this.#flow[P_TCP_FLAGS] >>> i) & 1) === 1 ? '+' : '-'}${name}`;
    });
    this.parts.push(`tcp_flags=${names.join('')}`);
  }

  #port(name: string, shift: number): void {
    const mask = (this.#mask[P_PORTS] >>> shift) & 0xffff;
    if (mask === 0) return;
    const value = (this.#flow[P_PORTS] >>> shift) & mask;
    this.parts.push(
      mask === 0xffff ? `${name}=${value}` : `${name}=0x${value.toString(16)}/0x${mask.toString(16)}`,
    );
  }
}

function macBytes(words: Uint32Array, isDestination: boolean): Uint8Array {
  return isDestination
    ? bytesOf([words[P_ETH0], words[P_ETH1]]).slice(0, 6)
    : bytesOf([words[P_ETH1], words[P_ETH2]]).slice(2, 8);
}

function masked(value: string, mask: string, isExact: boolean): string {
  return isExact ? value : `${value}/${mask}`;
}

function hex4(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

function hex5(value: number): string {
  return `0x${value.toString(16).padStart(5, '0')}`;
}

function hexUnlessZero(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}

function bytesOf(words: readonly number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word]));
}
