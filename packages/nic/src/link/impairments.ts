import type { CoreContext, Counter, FrameMeta, Ps } from '@vhostlab/engine';
import { DueEvents, LEARNING_PACKET, type NumberedEvent } from '@vhostlab/workload';
import { wireTimeBytes } from '../wire-time.ts';
import { appendFcs } from './frame-check.ts';

/** Room of the queue in front of a link that has a rate, in bytes of wire time; what does not fit is dropped. */
const QUEUE_BYTES = 256 * 1024;
/** Longest frame that can be sent, and its FCS. */
const SCRATCH_BYTES = 65_664 + 64;

/**
 * What a link does to the frames of one direction, at their sender: queue and rate, delay and jitter, loss, inverted bits.
 * Frames keep their order: one that is held longer holds those behind it. Decisions are drawn from generators of their own
 * for loss, jitter and corruption, so that one setting does not change what another one hits. Frames that are lost here
 * are counted with `drop.link-loss` and `drop.link-queue`; corrupt ones arrive, and their receiver drops them.
 */
export class Impairments {
  /** Where the frame is that `pass` has let through. */
  offset = 0;
  length = 0;
  /** The frame carries its FCS. */
  carriesFcs = false;
  readonly #context: CoreContext;
  readonly #due: DueEvents<'link'>;
  readonly #draw: Record<'loss' | 'jitter' | 'corrupt', () => number>;
  readonly #scratch: number;
  readonly #lost: Counter;
  readonly #overflowed: Counter;
  #active = false;
  #delayPs: Ps = 0;
  #jitterPs: Ps = 0;
  #loss = 0;
  #corrupt = 0;
  #psPerByte = 0;
  /** Moment at which the link has sent what is queued. */
  #freePs: Ps = 0;
  #lastPs: Ps = 0;

  constructor(context: CoreContext, events: readonly NumberedEvent<'link'>[]) {
    this.#context = context;
    this.#due = new DueEvents(context, 'link', events);
    this.#draw = {
      loss: context.random('link.loss'),
      jitter: context.random('link.jitter'),
      corrupt: context.random('link.corrupt'),
    };
    this.#scratch = context.arena.alloc(SCRATCH_BYTES);
    this.#lost = context.counter('drop.link-loss');
    this.#overflowed = context.counter('drop.link-queue');
  }

  /** Something was set: from then on the link never holds its sender up, but drops what it has no room for. */
  get active(): boolean {
    return this.#active;
  }

  /**
   * Takes a frame that leaves its port from `startPs` to `donePs`. Answers the moment at which its last bit is through the
   * link, latency not counted, or -1 when it was lost, which is counted. `offset` and `length` are then those of what goes
   * out: the frame itself, or a copy.
   */
  pass(offset: number, length: number, meta: FrameMeta, startPs: Ps, donePs: Ps): Ps {
    this.offset = offset;
    this.length = length;
    this.carriesFcs = false;
    this.#takeEvents(startPs);
    if (!this.#active || meta.packet === LEARNING_PACKET) return donePs;
    if (this.#loss > 0 && this.#draw.loss() < this.#loss) {
      this.#lost.value++;
      return -1;
    }
    let at = donePs;
    if (this.#psPerByte > 0) {
      const from = this.#freePs > donePs ? this.#freePs : donePs;
      if (from - donePs > QUEUE_BYTES * this.#psPerByte) {
        this.overflow();
        return -1;
      }
      at = from + Math.round(wireTimeBytes(length, meta.wireLength) * this.#psPerByte);
      this.#freePs = at;
    }
    at += this.#delayPs;
    if (this.#jitterPs > 0) at += Math.floor(this.#draw.jitter() * (this.#jitterPs + 1));
    if (at < this.#lastPs) at = this.#lastPs;
    this.#lastPs = at;
    if (this.#corrupt > 0 && this.#draw.corrupt() < this.#corrupt) this.#invert(offset, length);
    return at;
  }

  /** Counts a frame that found the link full. */
  overflow(): void {
    this.#overflowed.value++;
  }

  #takeEvents(nowPs: Ps): void {
    for (let event = this.#due.take(nowPs); event !== undefined; event = this.#due.take(nowPs)) {
      this.#active = true;
      this.#delayPs = event.delayPs ?? this.#delayPs;
      this.#jitterPs = event.jitterPs ?? this.#jitterPs;
      this.#loss = event.loss ?? this.#loss;
      this.#corrupt = event.corrupt ?? this.#corrupt;
      if (event.rateBps !== undefined) this.#psPerByte = event.rateBps === 0 ? 0 : 8e12 / event.rateBps;
    }
  }

  /** Makes a copy that carries its FCS and has one bit inverted. */
  #invert(offset: number, length: number): void {
    const { arena } = this.#context;
    const to = this.#scratch;
    arena.copy(to, offset, length);
    this.offset = to;
    this.length = appendFcs(arena.u8, to, length);
    this.carriesFcs = true;
    const bit = Math.floor(this.#draw.corrupt() * this.length * 8);
    arena.u8[to + (bit >>> 3)] ^= 1 << (bit & 7);
  }
}

/** The link of a core; undefined when nothing is ever set on it. */
export function impairmentsOf(
  context: CoreContext,
  events: readonly NumberedEvent<'link'>[] | undefined,
): Impairments | undefined {
  return events === undefined || events.length === 0 ? undefined : new Impairments(context, events);
}
