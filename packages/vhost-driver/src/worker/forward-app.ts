import type { Arena } from '@vhostlab/memory';
import { HDR_F_DATA_VALID, HDR_F_NEEDS_CSUM } from '@vhostlab/virtio-net';
import { swapMacs } from '@vhostlab/workload';
import type { App, AppReport, PairContext } from './app.ts';
import { COUNTER } from './counters.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { Agreement } from './plan.ts';
import type { ReceiveSide } from './receive-side.ts';
import type { TransmitSide } from './transmit-side.ts';

const DROP_FORWARD = COUNTER.dropForward;
const FULL = COUNTER.full;

/** Sends back every frame from the buffers in which it came, MAC addresses swapped. */
export class ForwardApp implements App {
  readonly #rx: ReceiveSide;
  readonly #tx: TransmitSide;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #agreement: Agreement;
  readonly #handler: FrameHandler;
  /** First frame of the last poll that waits for room in the transmitq. */
  #waiting = 0;
  #isFinished = false;

  constructor(context: PairContext, handler: FrameHandler) {
    const arena: Arena = context.arena;
    this.#rx = context.rx;
    this.#tx = context.tx;
    this.#u8 = arena.u8;
    this.#u32 = arena.u32;
    this.#agreement = context.agreement;
    this.#handler = handler;
  }

  turn(): boolean {
    const rx = this.#rx;
    const { frames } = rx;
    let worked = this.#tx.reclaim() > 0;
    if (this.#waiting === frames.count) {
      if (this.#isFinished) return worked;
      this.#waiting = 0;
      const taken = rx.poll();
      if (taken > 0) this.#handler.take(rx);
      worked = worked || taken > 0;
    }
    if (frames.count > this.#waiting) {
      this.#sendFrom();
      this.#tx.flush();
    }
    if (worked) {
      rx.fill();
      rx.ring.publish();
    }
    return worked;
  }

  /** Sends frames of the last poll until the transmitq is full. */
  #sendFrom(): void {
    const { frames, buffers } = this.#rx;
    const { first, parts, buffer, written, count } = frames;
    const { frameOffset } = buffers;
    const tx = this.#tx;
    let f = this.#waiting;
    for (; f < count; f++) {
      const at = first[f];
      const frame = frameOffset[buffer[at]];
      if (tx.ring.queue.freeSlots < parts[f]) {
        tx.ring.counters[FULL] += 1;
        break;
      }
      if (!this.#makeHeader(frame)) {
        tx.ring.counters[DROP_FORWARD] += 1;
        for (let i = at; i < at + parts[f]; i++) buffers.give(buffer[i]);
        continue;
      }
      swapMacs(this.#u8, frame);
      tx.putParts(buffer, written, at, parts[f]);
    }
    this.#waiting = f;
  }

  /**
   * Makes a received header one to send (virtio 1.3, 5.1.6.2): without DATA_VALID and num_buffers, and with an offload only
   * if it was negotiated. False when the frame cannot be sent without it.
   */
  #makeHeader(frame: number): boolean {
    const { headerBytes, csum, tso } = this.#agreement;
    const at = frame - headerBytes;
    const u8 = this.#u8;
    const flags = u8[at] & ~HDR_F_DATA_VALID;
    const gsoType = u8[at + 1];
    if ((flags | gsoType) === 0) {
      // 12 bytes end at a cache line and so begin at a word; 10 bytes do not
      if (headerBytes === 12) {
        const w = at >>> 2;
        this.#u32[w] = 0;
        this.#u32[w + 1] = 0;
        this.#u32[w + 2] = 0;
      } else u8.fill(0, at, at + headerBytes);
      return true;
    }
    if ((flags & HDR_F_NEEDS_CSUM) !== 0 && !csum) return false;
    if (gsoType !== 0 && !tso) return false;
    u8[at] = flags & HDR_F_NEEDS_CSUM;
    if (headerBytes === 12) u8[at + 10] = u8[at + 11] = 0;
    return true;
  }

  collect(): boolean {
    const { frames, buffers } = this.#rx;
    const reclaimed = this.#tx.reclaim() > 0;
    // what cannot be sent any more goes back to the device unsent
    for (let f = this.#waiting; f < frames.count; f++) {
      this.#tx.ring.counters[DROP_FORWARD] += 1;
      for (let i = frames.first[f]; i < frames.first[f] + frames.parts[f]; i++)
        buffers.give(frames.buffer[i]);
    }
    this.#waiting = 0;
    frames.count = 0;
    const taken = this.#rx.poll();
    return taken > 0 || reclaimed;
  }

  finish(): void {
    this.#isFinished = true;
  }

  get isDone(): boolean {
    return this.#isFinished && this.#tx.inFlight === 0;
  }

  get awaitsTx(): boolean {
    return this.#waiting < this.#rx.frames.count || (this.#isFinished && this.#tx.inFlight > 0);
  }

  waitMs(): number {
    return -1;
  }

  report(): AppReport {
    return this.#handler.report();
  }
}
