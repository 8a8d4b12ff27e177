import type { CoreContext, Counter } from '@vhostlab/engine';
import {
  completeChecksum,
  GSO_NONE,
  HDR_F_NEEDS_CSUM,
  type HeaderFields,
  NO_OFFLOAD,
  readHeader,
  Segmenter,
} from '@vhostlab/virtio-net';
import { ArrivalGaps, ArrivalOrder, FrameHasher, LEARNING_PACKET, orderedStreams } from '@vhostlab/workload';
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { GuestPort } from './guest-port.ts';
import { HEADER_BYTES, type RxPath } from './rx-path.ts';

/** Longest frame that can be put together: an IP packet of 64 KiB and its Ethernet header with tags. */
const SCRATCH_BYTES = 66 * 1024;

/** What a sink found out about one queue: plain data. */
export interface SinkResult {
  queues: { queue: number; sha256: string; frames: number; bytes: number }[];
  /** Arrival of the first and the last frame; without frames the largest safe integer and 0. */
  firstPs: number;
  lastPs: number;
  /** HdrHistogram of latencies in nanoseconds, three digits, compressed base64. */
  latency: string;
}

/**
 * Where frames end in a guest: counted, hashed, timed. The hash sees frames as they would look on the wire: partial
 * checksums are completed and GSO frames cut, so that it does not depend on offloads. Charges nothing.
 */
export class FrameSink {
  readonly #port: GuestPort;
  /** Where the frames of the present burst are. */
  #from: GuestPort;
  readonly #context: CoreContext;
  readonly #hasher = new FrameHasher();
  readonly #latency: Histogram = build({
    bitBucketSize: 32,
    autoResize: true,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 30,
    numberOfSignificantValueDigits: 3,
  });
  readonly #delivered: Counter;
  readonly #deliveredBytes: Counter;
  readonly #fields: HeaderFields = { ...NO_OFFLOAD };
  readonly #segmenter: Segmenter;
  /** Place for a frame that is put together, and for one of its segments. */
  #scratch = -1;
  #firstPs = Number.MAX_SAFE_INTEGER;
  #lastPs = 0;
  /** In scenarios in which the back end changes. */
  readonly #order: ArrivalOrder | undefined;
  readonly #gaps: ArrivalGaps | undefined;

  constructor(port: GuestPort) {
    this.#port = port;
    this.#from = port;
    this.#context = port.context;
    this.#segmenter = new Segmenter(port.context.arena.u8);
    this.#delivered = port.context.counter('frames.delivered');
    this.#deliveredBytes = port.context.counter('bytes.delivered');
    port.context.onCollect('sink', () => this.#result());
    if (port.config.routes === undefined && port.config.failover === undefined) return;
    const order = new ArrivalOrder(orderedStreams(port.config.scenario));
    this.#order = order;
    port.context.onCollect('order', () => order.report());
    const gaps = new ArrivalGaps();
    this.#gaps = gaps;
    port.context.onCollect('gaps', () => gaps.report());
  }

  /** Takes the frames of the current burst of `port`, which arrive now; their buffers stay the caller's. */
  take(rx: RxPath, port: GuestPort): void {
    this.#from = port;
    const now = this.#context.now();
    const { u8 } = this.#context.arena;
    const { base, pool } = port;
    let counted = 0;
    for (let i = 0; i < rx.count; i++) {
      if (rx.packet[i] === LEARNING_PACKET) continue;
      this.#order?.take(rx.packet[i]);
      counted++;
      const buffer = rx.buffer[i];
      const header = base + pool.gpa[buffer] - HEADER_BYTES;
      const plain =
        pool.next[buffer] < 0 && (u8[header] & HDR_F_NEEDS_CSUM) === 0 && u8[header + 1] === GSO_NONE;
      if (plain) this.#count(header + HEADER_BYTES, rx.length[i]);
      else this.#takeOffloaded(buffer, header, rx.length[i]);
      this.#latency.recordValue(Math.max(0, Math.round((now - rx.bornPs[i]) / 1000)));
    }
    if (counted === 0) return;
    this.#gaps?.take(now);
    if (now < this.#firstPs) this.#firstPs = now;
    this.#lastPs = now;
  }

  #count(frameAt: number, length: number): void {
    this.#delivered.value++;
    this.#deliveredBytes.value += length;
    this.#hasher.add(this.#context.arena.u8, frameAt, length);
  }

  #takeOffloaded(buffer: number, header: number, length: number): void {
    const { arena } = this.#context;
    if (this.#scratch < 0) this.#scratch = arena.alloc(2 * SCRATCH_BYTES);
    readHeader(arena.u8, header, this.#fields);
    const frame = this.#scratch;
    this.#gather(buffer, frame, length);
    if (this.#fields.gsoType !== GSO_NONE) {
      this.#segmenter.begin(frame, length, this.#fields);
      const to = frame + SCRATCH_BYTES;
      if (this.#segmenter.count > 0) {
        for (let bytes = this.#segmenter.next(to); bytes > 0; bytes = this.#segmenter.next(to))
          this.#count(to, bytes);
        return;
      }
    } else if ((this.#fields.flags & HDR_F_NEEDS_CSUM) !== 0) {
      completeChecksum(arena.u8, frame, length, this.#fields);
    }
    this.#count(frame, length);
  }

  /** Copies a frame out of its buffers. */
  #gather(buffer: number, to: number, length: number): void {
    const { base, pool } = this.#from;
    const { u8 } = this.#context.arena;
    let done = 0;
    for (let i = buffer; i >= 0 && done < length; i = pool.next[i]) {
      const from = base + pool.gpa[i] - (i === buffer ? 0 : HEADER_BYTES);
      const part = pool.next[buffer] < 0 ? length : Math.min(pool.bytes[i], length - done);
      u8.copyWithin(to + done, from, from + part);
      done += part;
    }
  }

  #result(): SinkResult {
    const { frames, bytes } = this.#hasher;
    return {
      queues: [{ queue: this.#port.config.queue, sha256: this.#hasher.digest(), frames, bytes }],
      firstPs: this.#firstPs,
      lastPs: this.#lastPs,
      latency: encodeIntoCompressedBase64(this.#latency),
    };
  }
}
