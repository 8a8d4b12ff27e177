import type { FrameOffload, FrameSource } from './frame-source.ts';
import { noOffload } from './frame-source.ts';
import type { TemplateShape } from './network-layers.ts';
import type { Pacer } from './pacer.ts';
import { checkStream, type Sharing } from './sharing.ts';
import { TcpTemplate } from './tcp-template.ts';

/** Payload of a full segment at an MTU of 1500 with the timestamps option. */
export const DEFAULT_MSS_BYTES = 1448;
/** IP total length (IPv4) and payload length (IPv6) are 16 bits. */
const MAX_IP_BYTES = 65535;

/** A bulk transfer over TCP connections, each frame as large as its sender may make it. */
export interface TcpStream extends TemplateShape {
  /** Frames handed to the device, GSO frames counted once. */
  packets: number;
  /** Connections, taking turns; at least 1. */
  flows: number;
  mssBytes: number;
  /** True: frames of as many whole segments as fit 64 KB, for TSO; false: one segment each. */
  gso: boolean;
  /** Checksum left to the device; always so with `gso`. */
  checksumOffload: boolean;
  pacer: Pacer;
  sharing: Sharing;
}

/** Data segments of bulk TCP transfers with correct sequence numbers; acknowledgements are not modelled here. */
export class TcpStreamSource implements FrameSource {
  readonly packets: number;
  /** Bytes of TCP data in each frame, and segments that they become on the wire. */
  readonly payloadBytes: number;
  readonly segments: number;
  packet = -1;
  readonly length: number;
  readonly maxLength: number;
  flow = 0;
  atPs = 0;
  gapPs = 0;
  readonly offload: FrameOffload;
  readonly #template: TcpTemplate;
  readonly #sequence: Int32Array;
  readonly #pacer: Pacer;
  readonly #shard: number;
  readonly #shards: number;
  #flowAt = -1;

  /** Throws a RangeError for numbers out of range. */
  constructor(stream: TcpStream) {
    checkStream(stream.packets, stream.flows, stream.sharing);
    if (stream.flows < 1 || stream.flows > 65536) {
      throw new RangeError(`${stream.flows} connections: 1 to 65536 are needed`);
    }
    const ipAndTcpBytes = (stream.ipVersion === 4 ? 20 : 0) + 32;
    const mostSegments = Math.floor((MAX_IP_BYTES - ipAndTcpBytes) / stream.mssBytes);
    if (!Number.isSafeInteger(stream.mssBytes) || stream.mssBytes < 8 || mostSegments < 1) {
      throw new RangeError(
        `MSS of ${stream.mssBytes} bytes: 8 to ${MAX_IP_BYTES - ipAndTcpBytes} are needed`,
      );
    }
    this.packets = stream.packets;
    this.segments = stream.gso ? mostSegments : 1;
    this.payloadBytes = this.segments * stream.mssBytes;
    const offloaded = stream.gso || stream.checksumOffload;
    this.#template = new TcpTemplate(this.payloadBytes, stream, offloaded);
    this.length = this.#template.length;
    this.maxLength = this.length;
    this.offload = noOffload();
    if (offloaded) {
      this.offload.flags = 1;
      this.offload.csumStart = this.#template.l4Offset;
      this.offload.csumOffset = 16;
    }
    if (this.segments > 1) {
      this.offload.gsoType = stream.ipVersion === 4 ? 1 : 4;
      this.offload.gsoSize = stream.mssBytes;
      this.offload.hdrLen = this.#template.headerBytes;
    }
    this.#sequence = new Int32Array(stream.flows);
    this.#pacer = stream.pacer;
    this.#shard = stream.sharing.shard;
    this.#shards = stream.sharing.shards;
  }

  next(): boolean {
    if (this.#shard >= this.#sequence.length) return false;
    const before = this.atPs;
    while (this.packet + 1 < this.packets) {
      this.packet++;
      if (++this.#flowAt === this.#sequence.length) this.#flowAt = 0;
      this.flow = this.#flowAt;
      this.#pacer.depart(this.length);
      this.atPs = this.#pacer.atPs;
      this.#sequence[this.flow] += this.payloadBytes;
      if (this.#shards === 1 || this.flow % this.#shards === this.#shard) {
        this.gapPs = this.atPs - before;
        return true;
      }
    }
    return false;
  }

  write(u8: Uint8Array, offset: number): number {
    // `next` has already moved the connection on to the segment behind this one.
    const sequence = (this.#sequence[this.flow] - this.payloadBytes) | 0;
    return this.#template.write(u8, offset, this.flow, sequence, this.packet);
  }
}
