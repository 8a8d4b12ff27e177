import {
  type CoreContext,
  emptyFrameMeta,
  type FrameMeta,
  IDLE,
  type Ps,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import type { FrameSource } from '@vhostlab/workload';
import type { WireSender } from '../wire.ts';

/** Longest frame that a source makes. */
export const FRAME_BYTES = 65_664;
/** Frames that one run sends, and how far ahead of their departure. */
const BURST = 64;
const AHEAD_PS = 2_000_000;

/** Sends a stream of frames at its own pace; nothing that comes back slows it down. */
export class StationSource implements Task {
  readonly name = 'station.source';
  readonly #context: CoreContext;
  readonly #source: FrameSource;
  readonly #wire: WireSender;
  readonly #startPs: Ps;
  readonly #offered: { value: number };
  readonly #buffer: number;
  readonly #meta: FrameMeta = emptyFrameMeta();
  /** The source's current frame is not sent yet. */
  #pending = false;
  #ended = false;

  /** `startPs`: moment that the stream's moments count from. */
  constructor(context: CoreContext, source: FrameSource, wire: WireSender, startPs: Ps) {
    this.#context = context;
    this.#source = source;
    this.#wire = wire;
    this.#startPs = startPs;
    this.#offered = context.counter('frames.offered');
    this.#buffer = context.arena.alloc(FRAME_BYTES);
  }

  run(): TaskResult {
    const now = this.#context.now();
    if (now < this.#startPs) {
      this.#context.wakeAt(this.#startPs);
      return IDLE;
    }
    const source = this.#source;
    for (let n = 0; n < BURST; n++) {
      if (!this.#advance()) return IDLE;
      const at = this.#startPs + source.atPs;
      if (at > now + AHEAD_PS || (n === 0 && at > now)) {
        this.#context.wakeAt(at);
        return IDLE;
      }
      if (!this.#send(at)) return IDLE;
    }
    // the wire may lag behind the stream: no sooner than it is free
    if (this.#advance()) {
      const at = Math.max(this.#startPs + source.atPs, this.#wire.freePs - AHEAD_PS);
      this.#context.wakeAt(at > now ? at : now + 1);
    }
    return IDLE;
  }

  /** Makes sure that there is a current frame; false when the stream has ended. */
  #advance(): boolean {
    if (this.#pending) return true;
    if (this.#ended) return false;
    this.#pending = this.#source.next();
    this.#ended = !this.#pending;
    return this.#pending;
  }

  /** Sends the current frame; false when the other port has no room, which wakes this core when there is some. */
  #send(atPs: Ps): boolean {
    const source = this.#source;
    const meta = this.#meta;
    const length = source.write(this.#context.arena.u8, this.#buffer);
    meta.packet = source.packet;
    meta.bornPs = atPs;
    if (this.#wire.send(this.#buffer, length, meta, atPs) < 0) return false;
    this.#pending = false;
    this.#offered.value++;
    return true;
  }
}
