import type { CoreContext, Ps } from '@vhostlab/engine';
import { ArrivalGaps, ArrivalOrder, FrameHasher, LEARNING_PACKET } from '@vhostlab/workload';
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';

const NS = 1000;

/** What a sink tells at the end of a run. */
export interface SinkReport {
  queues: { queue: number; sha256: string; frames: number; bytes: number }[];
  /** Moments of the first and last frame, -1 without frames. */
  firstPs: Ps;
  lastPs: Ps;
  /** HdrHistogram of nanoseconds, encoded with compression, base64. */
  latency: string;
}

/** Counts, hashes and times the frames that arrive, per generator queue. */
export class Sink {
  readonly #delivered: { value: number };
  readonly #bytes: { value: number };
  readonly #hashers: FrameHasher[];
  readonly #histogram: Histogram;
  readonly #order: ArrivalOrder | undefined;
  readonly #gaps: ArrivalGaps | undefined;
  #firstPs: Ps = -1;
  #lastPs: Ps = -1;

  /** Frames of packet number p belong to queue p modulo `queues`; `streams`: their order is looked at (`ArrivalOrder`). */
  constructor(context: CoreContext, queues: number, streams?: number) {
    this.#delivered = context.counter('frames.delivered');
    this.#bytes = context.counter('bytes.delivered');
    this.#hashers = Array.from({ length: queues }, () => new FrameHasher());
    this.#histogram = build({
      bitBucketSize: 32,
      autoResize: true,
      lowestDiscernibleValue: 1,
      highestTrackableValue: 2 ** 30,
      numberOfSignificantValueDigits: 3,
    });
    context.onCollect('sink', () => this.report());
    if (streams === undefined) return;
    const order = new ArrivalOrder(streams);
    this.#order = order;
    context.onCollect('order', () => order.report());
    const gaps = new ArrivalGaps();
    this.#gaps = gaps;
    context.onCollect('gaps', () => gaps.report());
  }

  /** Takes the frame at `offset`, which arrived at `atPs`. */
  take(u8: Uint8Array, offset: number, length: number, packet: number, bornPs: Ps, atPs: Ps): void {
    if (packet === LEARNING_PACKET) return;
    this.#order?.take(packet);
    this.#gaps?.take(atPs);
    this.#delivered.value++;
    this.#bytes.value += length;
    const queues = this.#hashers.length;
    this.#hashers[queues === 1 || packet < 0 ? 0 : packet % queues].add(u8, offset, length);
    this.#histogram.recordValue(Math.max(0, Math.round((atPs - bornPs) / NS)));
    if (this.#firstPs < 0) this.#firstPs = atPs;
    this.#lastPs = atPs;
  }

  report(): SinkReport {
    return {
      queues: this.#hashers.map((hasher, queue) => ({
        queue,
        sha256: hasher.digest(),
        frames: hasher.frames,
        bytes: hasher.bytes,
      })),
      firstPs: this.#firstPs,
      lastPs: this.#lastPs,
      latency: encodeIntoCompressedBase64(this.#histogram),
    };
  }
}
