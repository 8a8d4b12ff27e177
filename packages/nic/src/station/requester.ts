import { type CoreContext, emptyFrameMeta, type FrameMeta, type Ps } from '@vhostlab/engine';
import { type FrameSource, LEARNING_PACKET } from '@vhostlab/workload';
import type { WireSender } from '../wire.ts';
import type { Sink } from './sink.ts';
import { FRAME_BYTES } from './source.ts';

/** Sends a request, waits for its answer, and so on: one transaction at a time. */
export class Requester {
  readonly #context: CoreContext;
  readonly #source: FrameSource;
  readonly #wire: WireSender;
  readonly #sink: Sink;
  readonly #turnaroundPs: Ps;
  readonly #patiencePs: Ps;
  readonly #offered: { value: number };
  readonly #buffer: number;
  readonly #meta: FrameMeta = emptyFrameMeta();
  #bornPs: Ps = 0;
  #waiting = false;

  /**
   * `turnaroundPs`: from an answer to the next request; at least the wire's window. `patiencePs`: after so long without an
   * answer the next request goes out; an answer that still comes is counted as `drop.unexpected`.
   */
  constructor(
    context: CoreContext,
    source: FrameSource,
    wire: WireSender,
    sink: Sink,
    turnaroundPs: Ps,
    patiencePs: Ps,
  ) {
    this.#context = context;
    this.#source = source;
    this.#wire = wire;
    this.#sink = sink;
    this.#turnaroundPs = turnaroundPs;
    this.#patiencePs = patiencePs;
    this.#offered = context.counter('frames.offered');
    this.#buffer = context.arena.alloc(FRAME_BYTES);
  }

  /** Sends the first request at `atPs`. */
  start(atPs: Ps): void {
    this.#request(atPs);
  }

  /** Moment at which the present request is given up; Infinity when there is none. */
  get deadlinePs(): Ps {
    return this.#waiting ? this.#bornPs + this.#patiencePs : Number.POSITIVE_INFINITY;
  }

  /** Gives the present request up if its time is over at `nowPs`, and sends the next. */
  giveUp(nowPs: Ps): void {
    if (this.deadlinePs > nowPs) return;
    this.#waiting = false;
    this.#request(nowPs + this.#turnaroundPs);
  }

  /** Takes a frame that arrived at `atPs`. */
  answer(offset: number, length: number, packet: number, atPs: Ps): void {
    if (packet === LEARNING_PACKET) return;
    if (!this.#waiting || packet !== this.#source.packet) {
      this.#context.counter('drop.unexpected').value++;
      return;
    }
    this.#waiting = false;
    this.#sink.take(this.#context.arena.u8, offset, length, packet, this.#bornPs, atPs);
    this.#request(atPs + this.#turnaroundPs);
  }

  #request(atPs: Ps): void {
    if (!this.#source.next()) return;
    const meta = this.#meta;
    const length = this.#source.write(this.#context.arena.u8, this.#buffer);
    meta.packet = this.#source.packet;
    meta.bornPs = atPs;
    this.#bornPs = atPs;
    this.#waiting = true;
    this.#offered.value++;
    if (this.#wire.send(this.#buffer, length, meta, atPs) < 0) {
      this.#context.counter('drop.wire-full').value++;
    }
  }
}
