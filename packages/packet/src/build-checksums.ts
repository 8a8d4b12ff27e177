import {
  finishChecksum,
  finishUdpChecksum,
  internetChecksum,
  pseudoHeaderSum4,
  pseudoHeaderSum6,
  writeIpv4Checksum,
} from './checksum.ts';
import { IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from './constants.ts';
import { writeSctpChecksum } from './crc32c.ts';
import type { Layer } from './layers.ts';

/**
 * Computes the checksums of a frame whose headers are in place, innermost first since an outer checksum covers
 * the inner ones. `starts`: offset of each layer. Checksums that a layer states are stored as stated.
 */
export function fillChecksums(frame: Uint8Array, layers: readonly Layer[], starts: readonly number[]): void {
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index];
    const at = starts[index];
    const length = frame.length - at;
    switch (layer.kind) {
      case 'ipv4':
        if (layer.checksum === undefined) writeIpv4Checksum(frame, at);
        else store(frame, at + 10, layer.checksum);
        break;
      case 'tcp': {
        const sum = pseudoSum(frame, layers, starts, index, IPPROTO_TCP, length);
        store(frame, at + 16, layer.checksum ?? finishChecksum(internetChecksum(frame, at, length, sum)));
        break;
      }
      case 'udp': {
        const sum = pseudoSum(frame, layers, starts, index, IPPROTO_UDP, length);
        store(frame, at + 6, layer.checksum ?? finishUdpChecksum(internetChecksum(frame, at, length, sum)));
        break;
      }
      case 'icmp': {
        const inside6 = layers[ipIndex(layers, index)]?.kind === 'ipv6';
        const sum = inside6 ? pseudoSum(frame, layers, starts, index, IPPROTO_ICMPV6, length) : 0;
        store(frame, at + 2, layer.checksum ?? finishChecksum(internetChecksum(frame, at, length, sum)));
        break;
      }
      case 'sctp':
        if (layer.checksum === undefined) writeSctpChecksum(frame, at, length);
        else new DataView(frame.buffer, frame.byteOffset).setUint32(at + 8, layer.checksum, true);
        break;
      case 'gre':
        if (layer.checksum) store(frame, at + 4, finishChecksum(internetChecksum(frame, at, length)));
        break;
    }
  }
}

function store(frame: Uint8Array, at: number, value: number): void {
  frame[at] = value >>> 8;
  frame[at + 1] = value & 0xff;
}

/** Index of the IP layer that a transport layer belongs to: the nearest one in front of it; -1: none. */
function ipIndex(layers: readonly Layer[], index: number): number {
  return layers.findLastIndex((layer, i) => i < index && (layer.kind === 'ipv4' || layer.kind === 'ipv6'));
}

function pseudoSum(
  frame: Uint8Array,
  layers: readonly Layer[],
  starts: readonly number[],
  index: number,
  protocol: number,
  length: number,
): number {
  const ip = ipIndex(layers, index);
  if (ip < 0) return 0;
  const at = starts[ip];
  return layers[ip].kind === 'ipv6'
    ? pseudoHeaderSum6(frame, at + 8, protocol, length)
    : pseudoHeaderSum4(frame, at + 12, protocol, length);
}
