import type { Layer } from '@vhostlab/packet';
import {
  build,
  builtLength,
  foldSum,
  IPPROTO_TCP,
  internetChecksum,
  pseudoHeaderSum4,
  pseudoHeaderSum6,
} from '@vhostlab/packet';
import { destinationHostOf, destinationPortOf, sourceHostOf, sourcePortOf } from './flows.ts';
import { networkLayers, type TemplateShape } from './network-layers.ts';
import { halves, put16, put32 } from './put.ts';

/** Two paddings and the timestamps option, as Linux sends on every segment (RFC 7323, appendix A). */
const TIMESTAMPS = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1);

/** A TCP segment with `payloadBytes` of data, ready but for its flow and sequence numbers. */
export class TcpTemplate {
  readonly length: number;
  readonly headerBytes: number;
  readonly l4Offset: number;
  readonly #frame: Uint8Array;
  readonly #version4: boolean;
  readonly #partial: boolean;
  readonly #l3: number;
  readonly #ipSum: number;
  readonly #tcpSum: number;

  /**
   * `partial`: the checksum field holds the sum of the pseudo header alone, for a device that offers checksum
   * offload (VIRTIO_NET_HDR_F_NEEDS_CSUM, virtio 1.3, 5.1.6.2); otherwise it is complete.
   */
  constructor(payloadBytes: number, shape: TemplateShape, partial: boolean) {
    const tcp: Layer = { kind: 'tcp', srcPort: 0, dstPort: 0, options: TIMESTAMPS };
    const headers = [...networkLayers(shape), tcp];
    const payload = Uint8Array.from({ length: payloadBytes }, (_, i) => i & 0xff);
    payload.fill(0, 0, 8);
    this.headerBytes = builtLength(headers);
    this.l4Offset = this.headerBytes - 20 - TIMESTAMPS.length;
    this.length = this.headerBytes + payloadBytes;
    const frame = build([...headers, { kind: 'payload', bytes: payload }]);
    this.#frame = frame;
    this.#version4 = shape.ipVersion === 4;
    this.#partial = partial;
    this.#l3 = shape.vlan === undefined ? 14 : 18;
    this.#ipSum = ~internetChecksum(frame, this.#l3 + 10, 2) & 0xffff;
    const l4Bytes = this.length - this.l4Offset;
    const pseudo = this.#version4
      ? pseudoHeaderSum4(frame, this.#l3 + 12, IPPROTO_TCP, l4Bytes)
      : pseudoHeaderSum6(frame, this.#l3 + 8, IPPROTO_TCP, l4Bytes);
    this.#tcpSum = partial ? pseudo : ~internetChecksum(frame, this.l4Offset + 16, 2) & 0xffff;
  }

  /** Writes the segment. `sequence`: TCP sequence number as 32 bits; `packet`: first 8 bytes of the data. */
  write(u8: Uint8Array, offset: number, flow: number, sequence: number, packet: number): number {
    u8.set(this.#frame, offset);
    const sourceHost = sourceHostOf(flow);
    const destinationHost = destinationHostOf(flow);
    const hosts = sourceHost + destinationHost;
    const ip = offset + this.#l3;
    if (this.#version4) {
      put16(u8, ip + 14, sourceHost);
      put16(u8, ip + 18, destinationHost);
      put16(u8, ip + 10, ~foldSum(this.#ipSum + hosts));
    } else {
      put16(u8, ip + 22, sourceHost);
      put16(u8, ip + 38, destinationHost);
    }
    const tcp = offset + this.l4Offset;
    const sourcePort = sourcePortOf(flow);
    const destinationPort = destinationPortOf(flow);
    const low = packet | 0;
    const high = Math.floor(packet / 4294967296) | 0;
    const data = offset + this.headerBytes;
    put16(u8, tcp, sourcePort);
    put16(u8, tcp + 2, destinationPort);
    put32(u8, tcp + 4, sequence);
    put32(u8, data, high);
    put32(u8, data + 4, low);
    if (this.#partial) {
      put16(u8, tcp + 16, foldSum(this.#tcpSum + hosts));
    } else {
      const words = sourcePort + destinationPort + halves(sequence) + halves(high) + halves(low);
      put16(u8, tcp + 16, ~foldSum(this.#tcpSum + hosts + words));
    }
    return this.length;
  }
}
