import type { Layer } from '@vhostlab/packet';
import { build, builtLength, foldSum, internetChecksum } from '@vhostlab/packet';
import { destinationHostOf, destinationPortOf, sourceHostOf, sourcePortOf } from './flows.ts';
import { networkLayers, type TemplateShape } from './network-layers.ts';
import { halves, put16, put32 } from './put.ts';

/** Bytes of the sequence number at the start of every payload. */
export const SEQUENCE_BYTES = 8;

/**
 * A UDP frame of one size, ready but for its flow and sequence number. `write` copies it and patches addresses,
 * ports, the 64-bit sequence number at the start of the payload (big-endian) and the checksums, whose constant
 * part is summed beforehand: the cost does not grow with the size.
 */
export class UdpTemplate {
  readonly length: number;
  readonly #frame: Uint8Array;
  readonly #version4: boolean;
  readonly #l3: number;
  readonly #l4: number;
  /** Sums of the fields that are not patched. */
  readonly #ipSum: number;
  readonly #udpSum: number;

  /** `length`: bytes in memory. Throws a RangeError when headers and sequence number do not fit. */
  constructor(length: number, shape: TemplateShape) {
    const headers: Layer[] = [...networkLayers(shape), { kind: 'udp', srcPort: 0, dstPort: 0 }];
    const headerBytes = builtLength(headers);
    if (length < headerBytes + SEQUENCE_BYTES) {
      const tagged = shape.vlan === undefined ? '' : ' with a VLAN tag';
      throw new RangeError(
        `frames of ${length + 4} bytes are too small for UDP over IPv${shape.ipVersion}${tagged}: ` +
          `${headerBytes + SEQUENCE_BYTES + 4} (FCS included) are needed`,
      );
    }
    const payload = Uint8Array.from({ length: length - headerBytes }, (_, i) => i & 0xff);
    payload.fill(0, 0, SEQUENCE_BYTES);
    this.length = length;
    this.#frame = build([...headers, { kind: 'payload', bytes: payload }]);
    this.#version4 = shape.ipVersion === 4;
    this.#l3 = shape.vlan === undefined ? 14 : 18;
    this.#l4 = this.#l3 + (this.#version4 ? 20 : 40);
    // The built checksums complete the sums to all ones: taking them out again leaves what they covered.
    const frame = this.#frame;
    this.#ipSum = ~((frame[this.#l3 + 10] << 8) | frame[this.#l3 + 11]) & 0xffff;
    const udpChecksum = internetChecksum(frame, this.#l4 + 6, 2);
    this.#udpSum = ~udpChecksum & 0xffff;
  }

  /** Writes the frame of a flow. `sequence`: below 2^53. */
  write(u8: Uint8Array, offset: number, flow: number, sequence: number): number {
    u8.set(this.#frame, offset);
    const sourceHost = sourceHostOf(flow);
    const destinationHost = destinationHostOf(flow);
    const sourcePort = sourcePortOf(flow);
    const destinationPort = destinationPortOf(flow);
    const low = sequence | 0;
    const high = Math.floor(sequence / 4294967296) | 0;
    const hosts = sourceHost + destinationHost;
    if (this.#version4) {
      const ip = offset + this.#l3;
      put16(u8, ip + 14, sourceHost);
      put16(u8, ip + 18, destinationHost);
      put16(u8, ip + 10, ~foldSum(this.#ipSum + hosts));
    } else {
      put16(u8, offset + this.#l3 + 22, sourceHost);
      put16(u8, offset + this.#l3 + 38, destinationHost);
    }
    const udp = offset + this.#l4;
    put16(u8, udp, sourcePort);
    put16(u8, udp + 2, destinationPort);
    put32(u8, udp + 8, high);
    put32(u8, udp + 12, low);
    const words = sourcePort + destinationPort + halves(high) + halves(low);
    const checksum = ~foldSum(this.#udpSum + hosts + words) & 0xffff;
    put16(u8, udp + 6, checksum === 0 ? 0xffff : checksum);
    return this.length;
  }
}
