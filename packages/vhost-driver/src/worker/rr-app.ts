import { monotonicMs } from '@vhostlab/host';
import type { FrameSource } from '@vhostlab/workload';
import { readSequence } from '@vhostlab/workload';
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { App, AppReport, PairContext } from './app.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { ReceiveSide } from './receive-side.ts';
import type { TransmitSide } from './transmit-side.ts';

const NS_PER_MS = 1e6;
/** Longest latency that the histogram holds: ten seconds. */
const MAX_NS = 1e10;

/** One request at a time; its answer is the frame with the same sequence number. */
export class RrApp implements App {
  readonly #rx: ReceiveSide;
  readonly #tx: TransmitSide;
  readonly #u8: Uint8Array;
  readonly #source: FrameSource;
  readonly #timeoutMs: number;
  readonly #handler: FrameHandler;
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_NS,
    numberOfSignificantValueDigits: 3,
  });
  /** Number of the request that is outstanding; -1: none. */
  #asked = -1;
  #sentMs = 0;
  #hasNext: boolean;
  #isFinished = false;
  #lost = 0;
  #stray = 0;

  constructor(context: PairContext, source: FrameSource, timeoutMs: number, handler: FrameHandler) {
    this.#rx = context.rx;
    this.#tx = context.tx;
    this.#u8 = context.arena.u8;
    this.#source = source;
    this.#timeoutMs = timeoutMs;
    this.#handler = handler;
    this.#hasNext = source.next();
  }

  turn(): boolean {
    const answered = this.#receive();
    if (this.#asked >= 0 && monotonicMs() - this.#sentMs > this.#timeoutMs) {
      this.#lost++;
      this.#asked = -1;
    }
    if (this.#asked >= 0 || this.#isFinished || !this.#hasNext) return answered;
    return this.#ask() || answered;
  }

  #ask(): boolean {
    const tx = this.#tx;
    if (tx.room === 0) tx.reclaim();
    if (tx.room === 0) return false;
    const { buffers } = tx;
    const buffer = buffers.take();
    const length = this.#source.write(this.#u8, buffers.frameOffset[buffer]);
    this.#asked = this.#source.packet;
    tx.put(buffer, length);
    this.#sentMs = monotonicMs();
    tx.flush();
    this.#hasNext = this.#source.next();
    return true;
  }

  #receive(): boolean {
    const rx = this.#rx;
    if (rx.poll() === 0) return false;
    const nowMs = monotonicMs();
    const { count, length } = rx.frames;
    for (let f = 0; f < count; f++) {
      const sequence = readSequence(this.#u8, rx.contiguous(f), length[f]);
      if (sequence < 0 || sequence !== this.#asked) {
        this.#stray++;
        continue;
      }
      this.#histogram.recordValue(Math.min(MAX_NS, Math.round((nowMs - this.#sentMs) * NS_PER_MS)));
      this.#asked = -1;
    }
    this.#handler.take(rx);
    rx.repost();
    return true;
  }

  collect(): boolean {
    const received = this.#receive();
    return this.#tx.reclaim() > 0 || received;
  }

  finish(): void {
    this.#isFinished = true;
  }

  get isDone(): boolean {
    return (this.#isFinished || !this.#hasNext) && this.#asked < 0;
  }

  get awaitsTx(): boolean {
    return false;
  }

  waitMs(): number {
    if (this.#asked >= 0) return Math.max(0, this.#timeoutMs - (monotonicMs() - this.#sentMs)) + 1;
    return this.isDone ? -1 : 0;
  }

  report(): AppReport {
    return {
      ...this.#handler.report(),
      histogram: encodeIntoCompressedBase64(this.#histogram),
      lost: this.#lost,
      stray: this.#stray,
    };
  }
}
