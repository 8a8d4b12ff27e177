import type { FrameMeta, LinkEnd, Ps } from '@vhostlab/engine';
import type { Impairments } from './link/impairments.ts';
import { type Nic, type TimerOwner, wireFrames } from './nic.ts';
import { OffloadFinisher, WIRE_RULES } from './offload-finisher.ts';
import type { FramePort, FrameSupplier } from './queue/frame-port.ts';
import { WireSender } from './wire.ts';

/** Longest segment that is cut from a GSO frame. */
const SEGMENT_BYTES = 16_384;
/** Most frames that a GSO frame becomes: 64 KB in segments of 512 bytes. */
const MOST_SEGMENTS = 128;

/**
 * The physical port's transmit side: a buffer of so many bytes in front of the wire. Suppliers wait while it is full.
 */
export class WirePort implements FramePort, TimerOwner {
  readonly sender: WireSender;
  readonly #nic: Nic;
  readonly #timer: number;
  readonly #bufferPs: Ps;
  readonly #finisher: OffloadFinisher;
  #waiting: FrameSupplier[] = [];
  #due = false;

  constructor(nic: Nic, link: LinkEnd, rateGbps: number, bufferBytes: number, impairments?: Impairments) {
    this.#nic = nic;
    this.#timer = nic.register(this);
    this.sender = new WireSender(link, rateGbps, nic.constants.batchWindowPs, impairments);
    this.#bufferPs = Math.round((bufferBytes * 8000) / rateGbps);
    this.#finisher = new OffloadFinisher(nic, SEGMENT_BYTES);
  }

  /** True when a frame may be sent. */
  hasRoom(nowPs: Ps): boolean {
    return this.sender.freePs - nowPs <= this.#bufferPs && this.sender.room() >= MOST_SEGMENTS;
  }

  /** Remembers who is to be told when there is room. */
  wait(supplier: FrameSupplier): void {
    if (!this.#waiting.includes(supplier)) this.#waiting.push(supplier);
    if (this.#due) return;
    this.#due = true;
    const half = this.sender.freePs - this.#bufferPs / 2;
    const soon = this.#nic.now() + this.#nic.constants.batchWindowPs;
    this.#nic.later(half > soon ? half : soon, this.#timer, 0);
  }

  due(_kind: number, nowPs: Ps): void {
    this.#due = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const supplier of waiting) supplier.unblock(nowPs);
  }

  input(offset: number, length: number, meta: FrameMeta, atPs: Ps): boolean {
    if (!this.hasRoom(this.#nic.now())) return false;
    this.transmit(offset, length, meta, atPs);
    return true;
  }

  /** Sends a frame, or what its offloads make of it, from `atPs` on; `hasRoom` was asked. */
  transmit(offset: number, length: number, meta: FrameMeta, atPs: Ps): void {
    const { constants, meter, ops, recorder, stages } = this.#nic;
    const finisher = this.#finisher;
    const count = finisher.begin(offset, length, meta, WIRE_RULES);
    if (count === 0 || count > MOST_SEGMENTS) {
      this.#nic.drop(count === 0 ? finisher.fault : 'gso-too-many', wireFrames(length, meta));
      return;
    }
    const from = atPs + constants.txPipelinePs;
    while (finisher.next()) {
      const done = this.sender.send(finisher.offset, finisher.length, finisher.meta, from);
      if (done < 0) {
        this.#nic.drop('wire-full');
        continue;
      }
      meter.book(ops.wireTx, 1, finisher.length, done - from);
      if (recorder.sampled(meta.packet)) {
        recorder.eventAt(done, stages.wireTx, meta.packet, 0, finisher.length);
      }
    }
  }
}
