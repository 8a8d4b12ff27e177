import { formatIpv4, formatIpv6, formatMac } from './addresses.ts';
import * as proto from './constants.ts';
import { decodeInto, decodeIpInto } from './decode-into.ts';
import {
  DECODE_OK,
  DecodedHeaders,
  decodeErrorName,
  FRAGMENT_LATER,
  TUNNEL_GENEVE,
  TUNNEL_GRE,
  TUNNEL_NONE,
  TUNNEL_VXLAN,
} from './decoded-headers.ts';
import type { Layer, LayerKind } from './layers.ts';

/** Tunnels inside tunnels that `parse` follows. */
const MAX_TUNNELS = 8;

/** A frame taken apart. */
export interface ParsedPacket {
  /** Outermost first; the inside of a tunnel follows the tunnel's layer, and payload is last. */
  layers: Layer[];
  /** Bytes behind the end that the outermost IP header states: Ethernet padding. */
  paddingBytes: number;
  /** First fault: what is wrong and at which byte of the frame. The layers before it are valid. */
  error?: { code: number; message: string; offset: number };
}

/** The `nth` layer (from 0, outermost first) of one kind. */
export function findLayer<K extends LayerKind>(
  packet: ParsedPacket,
  kind: K,
  nth = 0,
): Extract<Layer, { kind: K }> | undefined {
  let left = nth;
  for (const layer of packet.layers) {
    if (layer.kind === kind && left-- === 0) return layer as Extract<Layer, { kind: K }>;
  }
  return undefined;
}

/** Takes a frame apart into objects: the convenient tier, never throws on bytes. Per packet use `decodeInto`. */
export function parse(frame: Uint8Array): ParsedPacket {
  const packet: ParsedPacket = { layers: [], paddingBytes: 0 };
  let start = 0;
  let end = frame.length;
  let type = proto.ETHERTYPE_TEB;
  for (let depth = 0; ; depth++) {
    const headers = new DecodedHeaders();
    if (type === proto.ETHERTYPE_TEB) decodeInto(frame, start, end - start, headers);
    else decodeIpInto(frame, start, end - start, type, headers);
    if (depth === 0 && headers.ipVersion) packet.paddingBytes = end - start - headers.l3End;
    new LayerReader(frame, start, end, headers, packet.layers).read(type === proto.ETHERTYPE_TEB);
    if (headers.error !== DECODE_OK) {
      const { error: code, errorOffset } = headers;
      packet.error = { code, message: decodeErrorName(code), offset: start + errorOffset };
      return packet;
    }
    const followed = headers.innerType === proto.ETHERTYPE_TEB || isIp(headers.innerType);
    if (headers.tunnel === TUNNEL_NONE || !followed || depth === MAX_TUNNELS) {
      pushPayload(frame, start, headers, packet.layers);
      return packet;
    }
    end = start + headers.payloadOffset + headers.payloadLength;
    start += headers.innerOffset;
    type = headers.innerType;
  }
}

function isIp(etherType: number): boolean {
  return etherType === proto.ETHERTYPE_IPV4 || etherType === proto.ETHERTYPE_IPV6;
}

function pushPayload(frame: Uint8Array, start: number, headers: DecodedHeaders, layers: Layer[]): void {
  if (headers.payloadOffset < 0 || headers.payloadLength <= 0) return;
  const from = start + headers.payloadOffset;
  layers.push({ kind: 'payload', bytes: frame.slice(from, from + headers.payloadLength) });
}

/** Reads the layers of one packet whose header places `decodeInto` has found and checked. */
class LayerReader {
  readonly #frame: Uint8Array;
  readonly #view: DataView;
  readonly #headers: DecodedHeaders;
  readonly #layers: Layer[];

  constructor(frame: Uint8Array, start: number, end: number, headers: DecodedHeaders, layers: Layer[]) {
    this.#frame = frame.subarray(start, end);
    this.#view = new DataView(frame.buffer, frame.byteOffset + start, end - start);
    this.#headers = headers;
    this.#layers = layers;
  }

  read(ethernet: boolean): void {
    const h = this.#headers;
    if (ethernet && this.#frame.length >= 14) this.#readEthernet();
    if (h.etherType === proto.ETHERTYPE_ARP && h.payloadOffset >= 0) this.#readArp(h.l3Offset);
    if (h.ipVersion === 4) this.#readIpv4(h.l3Offset);
    if (h.ipVersion === 6) this.#readIpv6(h.l3Offset);
    if (h.l4Offset >= 0 && h.payloadOffset >= 0 && !(h.fragment & FRAGMENT_LATER)) this.#readL4(h.l4Offset);
    if (h.tunnel !== TUNNEL_NONE) this.#readTunnel();
  }

  #readEthernet(): void {
    const frame = this.#frame;
    const view = this.#view;
    const h = this.#headers;
    const etherType = view.getUint16(12);
    this.#layers.push({ kind: 'ethernet', dst: formatMac(frame, 0), src: formatMac(frame, 6), etherType });
    for (let tag = 0; tag < h.vlanCount; tag++) {
      const at = 14 + tag * 4;
      const tci = view.getUint16(at);
      this.#layers.push({
        kind: 'vlan',
        tpid: view.getUint16(at - 2),
        id: tci & 0xfff,
        priority: tci >>> 13,
        dropEligible: (tci & 0x1000) !== 0,
        etherType: view.getUint16(at + 2),
      });
    }
    const lastType = view.getUint16(12 + h.vlanCount * 4);
    const at = 14 + h.vlanCount * 4;
    if (lastType < 0x600 && h.l3Offset >= at && at + 3 <= h.l3End) {
      const llc: Layer = { kind: 'llc', dsap: frame[at], ssap: frame[at + 1], control: frame[at + 2] };
      if (h.l3Offset === at + 8) llc.snapType = h.etherType;
      this.#layers.push(llc);
    }
  }

  #readArp(at: number): void {
    const frame = this.#frame;
    this.#layers.push({
      kind: 'arp',
      operation: this.#headers.srcPort,
      senderMac: formatMac(frame, at + 8),
      senderIp: formatIpv4(frame, at + 14),
      targetMac: formatMac(frame, at + 18),
      targetIp: formatIpv4(frame, at + 24),
    });
  }

  #readIpv4(at: number): void {
    const frame = this.#frame;
    const view = this.#view;
    const flags = view.getUint16(at + 6);
    this.#layers.push({
      kind: 'ipv4',
      src: formatIpv4(frame, at + 12),
      dst: formatIpv4(frame, at + 16),
      tos: frame[at + 1],
      totalLength: view.getUint16(at + 2),
      id: view.getUint16(at + 4),
      dontFragment: (flags & 0x4000) !== 0,
      moreFragments: (flags & 0x2000) !== 0,
      fragmentOffset: (flags & 0x1fff) << 3,
      ttl: frame[at + 8],
      protocol: frame[at + 9],
      checksum: view.getUint16(at + 10),
      options: frame.slice(at + 20, at + ((frame[at] & 15) << 2)),
    });
  }

  #readIpv6(at: number): void {
    const frame = this.#frame;
    const view = this.#view;
    const h = this.#headers;
    this.#layers.push({
      kind: 'ipv6',
      src: formatIpv6(frame, at + 8),
      dst: formatIpv6(frame, at + 24),
      trafficClass: h.ipTos,
      flowLabel: h.flowLabel,
      payloadLength: view.getUint16(at + 4),
      nextHeader: frame[at + 6],
      hopLimit: h.ipTtl,
    });
    let next = frame[at + 6];
    const stop = h.l4Offset >= 0 ? h.l4Offset : h.errorOffset;
    for (let where = at + 40; where < stop; ) {
      const protocol = next;
      next = frame[where];
      if (protocol === proto.IPPROTO_FRAGMENT) {
        const word = view.getUint16(where + 2);
        this.#layers.push({
          kind: 'ipv6-fragment',
          id: view.getUint32(where + 4),
          fragmentOffset: word & 0xfff8,
          moreFragments: (word & 1) !== 0,
          nextHeader: next,
        });
        where += 8;
      } else {
        const bytes =
          protocol === proto.IPPROTO_AH ? (frame[where + 1] + 2) << 2 : (frame[where + 1] + 1) << 3;
        const body = frame.slice(where + 2, where + bytes);
        this.#layers.push({ kind: 'ipv6-extension', protocol, body, nextHeader: next });
        where += bytes;
      }
    }
  }

  #readL4(at: number): void {
    const frame = this.#frame;
    const view = this.#view;
    const { ipProto, srcPort, dstPort, payloadOffset } = this.#headers;
    switch (ipProto) {
      case proto.IPPROTO_TCP:
        this.#layers.push({
          kind: 'tcp',
          srcPort,
          dstPort,
          seq: view.getUint32(at + 4),
          ack: view.getUint32(at + 8),
          flags: frame[at + 13],
          window: view.getUint16(at + 14),
          checksum: view.getUint16(at + 16),
          urgent: view.getUint16(at + 18),
          options: frame.slice(at + 20, payloadOffset),
        });
        break;
      case proto.IPPROTO_UDP: {
        const length = view.getUint16(at + 4);
        this.#layers.push({ kind: 'udp', srcPort, dstPort, length, checksum: view.getUint16(at + 6) });
        break;
      }
      case proto.IPPROTO_SCTP: {
        const verificationTag = view.getUint32(at + 4);
        this.#layers.push({
          kind: 'sctp',
          srcPort,
          dstPort,
          verificationTag,
          checksum: view.getUint32(at + 8, true),
        });
        break;
      }
      case proto.IPPROTO_ICMP:
      case proto.IPPROTO_ICMPV6: {
        const icmp: Layer = { kind: 'icmp', type: srcPort, code: dstPort, checksum: view.getUint16(at + 2) };
        if (payloadOffset === at + 8) icmp.rest = view.getUint32(at + 4);
        this.#layers.push(icmp);
        break;
      }
    }
  }

  #readTunnel(): void {
    const view = this.#view;
    const { tunnel, tunnelId, innerOffset, innerType, l4Offset } = this.#headers;
    switch (tunnel) {
      case TUNNEL_VXLAN:
        this.#layers.push({ kind: 'vxlan', vni: tunnelId });
        break;
      case TUNNEL_GENEVE: {
        const options = this.#frame.slice(l4Offset + 16, innerOffset);
        this.#layers.push({ kind: 'geneve', vni: tunnelId, protocolType: innerType, options });
        break;
      }
      case TUNNEL_GRE: {
        const flags = view.getUint16(l4Offset);
        const layer: Layer = { kind: 'gre', protocolType: innerType, checksum: (flags & 0x8000) !== 0 };
        if (flags & 0x2000) layer.key = tunnelId >>> 0;
        if (flags & 0x1000) layer.sequence = view.getUint32(innerOffset - 4);
        this.#layers.push(layer);
        break;
      }
    }
  }
}
