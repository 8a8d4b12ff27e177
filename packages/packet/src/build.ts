import { parseIpv4, parseIpv6, parseMac } from './addresses.ts';
import { fillChecksums } from './build-checksums.ts';
import * as proto from './constants.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_TEB } from './constants.ts';
import type { Layer } from './layers.ts';

/** Bytes of the layer's own header. */
function headerBytes(layer: Layer): number {
  switch (layer.kind) {
    case 'ethernet':
      return 14;
    case 'vlan':
      return 4;
    case 'llc':
      return layer.snapType === undefined ? 3 : 8;
    case 'arp':
      return 28;
    case 'ipv4':
      return 20 + (layer.options?.length ?? 0);
    case 'ipv6':
      return 40;
    case 'ipv6-extension':
      return 2 + layer.body.length;
    case 'tcp':
      return 20 + (layer.options?.length ?? 0);
    case 'sctp':
      return 12;
    case 'geneve':
      return 8 + (layer.options?.length ?? 0);
    case 'gre':
      return (
        4 +
        (layer.checksum ? 4 : 0) +
        (layer.key === undefined ? 0 : 4) +
        (layer.sequence === undefined ? 0 : 4)
      );
    case 'payload':
      return layer.bytes.length;
    default:
      return 8;
  }
}

/** Ethernet type that announces a layer; 0 for payload. */
function etherTypeOf(layer: Layer | undefined, next: Layer | undefined): number {
  switch (layer?.kind) {
    case 'vlan':
      return layer.tpid ?? (next?.kind === 'vlan' ? ETHERTYPE_QINQ : proto.ETHERTYPE_VLAN);
    case 'arp':
      return ETHERTYPE_ARP;
    case 'ipv4':
      return ETHERTYPE_IPV4;
    case 'ipv6':
      return ETHERTYPE_IPV6;
    case 'ethernet':
      return ETHERTYPE_TEB;
    default:
      return 0;
  }
}

/** IP protocol number that announces a layer; "no next header" for nothing and payload. */
function protocolOf(layer: Layer | undefined, version: number): number {
  switch (layer?.kind) {
    case 'tcp':
      return proto.IPPROTO_TCP;
    case 'udp':
      return proto.IPPROTO_UDP;
    case 'sctp':
      return proto.IPPROTO_SCTP;
    case 'icmp':
      return version === 6 ? proto.IPPROTO_ICMPV6 : proto.IPPROTO_ICMP;
    case 'gre':
      return proto.IPPROTO_GRE;
    case 'ipv6-extension':
      return layer.protocol;
    case 'ipv6-fragment':
      return proto.IPPROTO_FRAGMENT;
    default:
      return proto.IPPROTO_NONE;
  }
}

/** Bytes of the frame that `buildInto` writes for these layers. */
export function builtLength(layers: readonly Layer[]): number {
  return layers.reduce((sum, layer) => sum + headerBytes(layer), 0);
}

/** The frame as an array of its own. */
export function build(layers: readonly Layer[]): Uint8Array {
  const frame = new Uint8Array(builtLength(layers));
  buildInto(frame, 0, layers);
  return frame;
}

/**
 * Writes the frame at `offset` and answers its length. Lengths, types, protocols and checksums that the layers
 * leave out are computed; those that are given are written as they are, right or wrong. Throws a RangeError for
 * addresses that cannot be parsed and when the frame does not fit. Not for per-packet use.
 */
export function buildInto(u8: Uint8Array, offset: number, layers: readonly Layer[]): number {
  const total = builtLength(layers);
  if (offset < 0 || offset + total > u8.length) {
    throw new RangeError(`frame of ${total} bytes does not fit at ${offset} of ${u8.length}`);
  }
  u8.fill(0, offset, offset + total);
  const view = new DataView(u8.buffer, u8.byteOffset + offset, total);
  const starts: number[] = [];
  let at = 0;
  layers.forEach((layer, index) => {
    starts.push(at);
    writeLayer(view, at, total - at, layers, index);
    at += headerBytes(layer);
  });
  fillChecksums(new Uint8Array(u8.buffer, u8.byteOffset + offset, total), layers, starts);
  return total;
}

function writeLayer(view: DataView, at: number, left: number, layers: readonly Layer[], index: number): void {
  const layer = layers[index];
  const next = layers[index + 1];
  const after = layers[index + 2];
  const put = (where: number, bytes: Uint8Array | undefined) => {
    if (bytes) new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes, where);
  };
  switch (layer.kind) {
    case 'ethernet':
      put(at, parseMac(layer.dst));
      put(at + 6, parseMac(layer.src));
      view.setUint16(
        at + 12,
        layer.etherType ?? (next?.kind === 'llc' ? left - 14 : etherTypeOf(next, after)),
      );
      break;
    case 'vlan':
      view.setUint16(at, ((layer.priority ?? 0) << 13) | (layer.dropEligible ? 0x1000 : 0) | layer.id);
      view.setUint16(at + 2, layer.etherType ?? (next?.kind === 'llc' ? left - 4 : etherTypeOf(next, after)));
      break;
    case 'llc':
      put(at, Uint8Array.of(layer.dsap, layer.ssap, layer.control));
      if (layer.snapType !== undefined) view.setUint16(at + 6, layer.snapType);
      break;
    case 'arp':
      put(at, Uint8Array.of(0, 1, 8, 0, 6, 4));
      view.setUint16(at + 6, layer.operation);
      put(at + 8, parseMac(layer.senderMac));
      put(at + 14, parseIpv4(layer.senderIp));
      put(at + 18, parseMac(layer.targetMac));
      put(at + 24, parseIpv4(layer.targetIp));
      break;
    case 'ipv4': {
      view.setUint8(at, 0x40 | (headerBytes(layer) >>> 2));
      view.setUint8(at + 1, layer.tos ?? 0);
      view.setUint16(at + 2, layer.totalLength ?? left);
      view.setUint16(at + 4, layer.id ?? 0);
      const flags = (layer.dontFragment ? 0x4000 : 0) | (layer.moreFragments ? 0x2000 : 0);
      view.setUint16(at + 6, flags | ((layer.fragmentOffset ?? 0) >>> 3));
      view.setUint8(at + 8, layer.ttl ?? 64);
      view.setUint8(at + 9, layer.protocol ?? protocolOf(next, 4));
      put(at + 12, parseIpv4(layer.src));
      put(at + 16, parseIpv4(layer.dst));
      put(at + 20, layer.options);
      break;
    }
    case 'ipv6':
      view.setUint32(at, ((6 << 28) | ((layer.trafficClass ?? 0) << 20) | (layer.flowLabel ?? 0)) >>> 0);
      view.setUint16(at + 4, layer.payloadLength ?? left - 40);
      view.setUint8(at + 6, layer.nextHeader ?? protocolOf(next, 6));
      view.setUint8(at + 7, layer.hopLimit ?? 64);
      put(at + 8, parseIpv6(layer.src));
      put(at + 24, parseIpv6(layer.dst));
      break;
    case 'ipv6-extension':
      view.setUint8(at, layer.nextHeader ?? protocolOf(next, 6));
      view.setUint8(
        at + 1,
        layer.protocol === proto.IPPROTO_AH ? headerBytes(layer) / 4 - 2 : headerBytes(layer) / 8 - 1,
      );
      put(at + 2, layer.body);
      break;
    case 'ipv6-fragment':
      view.setUint8(at, layer.nextHeader ?? protocolOf(next, 6));
      view.setUint16(at + 2, layer.fragmentOffset | (layer.moreFragments ? 1 : 0));
      view.setUint32(at + 4, layer.id);
      break;
    case 'tcp':
      writePorts(view, at, layer);
      view.setUint32(at + 4, layer.seq ?? 0);
      view.setUint32(at + 8, layer.ack ?? 0);
      view.setUint8(at + 12, (headerBytes(layer) >>> 2) << 4);
      view.setUint8(at + 13, layer.flags ?? proto.TCP_ACK);
      view.setUint16(at + 14, layer.window ?? 65535);
      view.setUint16(at + 18, layer.urgent ?? 0);
      put(at + 20, layer.options);
      break;
    case 'udp':
      writePorts(view, at, layer);
      view.setUint16(at + 4, layer.length ?? left);
      break;
    case 'sctp':
      writePorts(view, at, layer);
      view.setUint32(at + 4, layer.verificationTag ?? 0);
      break;
    case 'icmp':
      view.setUint8(at, layer.type);
      view.setUint8(at + 1, layer.code ?? 0);
      view.setUint32(at + 4, layer.rest ?? 0);
      break;
    case 'vxlan':
      view.setUint8(at, 0x08);
      view.setUint32(at + 4, (layer.vni << 8) >>> 0);
      break;
    case 'geneve':
      view.setUint8(at, (layer.options?.length ?? 0) >>> 2);
      view.setUint16(at + 2, layer.protocolType ?? etherTypeOf(next, after));
      view.setUint32(at + 4, (layer.vni << 8) >>> 0);
      put(at + 8, layer.options);
      break;
    case 'gre': {
      const keyAt = at + (layer.checksum ? 8 : 4);
      const flags =
        (layer.checksum ? 0x8000 : 0) |
        (layer.key === undefined ? 0 : 0x2000) |
        (layer.sequence === undefined ? 0 : 0x1000);
      view.setUint16(at, flags);
      view.setUint16(at + 2, layer.protocolType ?? etherTypeOf(next, after));
      if (layer.key !== undefined) view.setUint32(keyAt, layer.key);
      if (layer.sequence !== undefined)
        view.setUint32(keyAt + (layer.key === undefined ? 0 : 4), layer.sequence);
      break;
    }
    case 'payload':
      put(at, layer.bytes);
      break;
  }
}

function writePorts(view: DataView, at: number, layer: { srcPort: number; dstPort: number }): void {
  view.setUint16(at, layer.srcPort);
  view.setUint16(at + 2, layer.dstPort);
}
