import type { Ps } from '@vhostlab/engine';
import type { Nic, TimerOwner } from '../nic.ts';

/** Sampled packets that one message remembers. */
const MOST_SAMPLED = 64;

/**
 * Moderation of one interrupt vector: the first message goes at once, the next ones at the earliest after the
 * moderation time, or when enough frames have come together.
 */
export class InterruptGate implements TimerOwner {
  /** Messages sent, and wishes that another message stood for. */
  sent = 0;
  merged = 0;
  readonly #nic: Nic;
  readonly #timer: number;
  readonly #send: () => void;
  /** Sampled packets that the next message tells of. */
  readonly #sampled: number[] = [];
  #allowedPs: Ps = 0;
  #frames = 0;
  #waiting = false;

  /** `send` sends the message. */
  constructor(nic: Nic, send: () => void) {
    this.#nic = nic;
    this.#send = send;
    this.#timer = nic.register(this);
  }

  /** The driver is to hear of `frames` more frames. */
  raise(nowPs: Ps, frames: number): void {
    this.#frames += frames;
    if (nowPs >= this.#allowedPs || this.#frames >= this.#nic.constants.msixModerationFrames) {
      this.#fire(nowPs);
      return;
    }
    this.merged++;
    if (this.#waiting) return;
    this.#waiting = true;
    this.#nic.later(this.#allowedPs, this.#timer, 0);
  }

  /** The next message, if there is one, tells of this sampled packet. */
  announce(packet: number): void {
    if (this.#sampled.length >= MOST_SAMPLED) this.#sampled.shift();
    this.#sampled.push(packet);
  }

  due(_kind: number, nowPs: Ps): void {
    this.#waiting = false;
    if (this.#frames === 0) return;
    if (nowPs >= this.#allowedPs) {
      this.#fire(nowPs);
      return;
    }
    this.#waiting = true;
    this.#nic.later(this.#allowedPs, this.#timer, 0);
  }

  /** Forgets what was to be told. */
  reset(): void {
    this.#frames = 0;
    this.#allowedPs = 0;
    this.#sampled.length = 0;
  }

  #fire(nowPs: Ps): void {
    const { constants, dma, meter, ops, recorder, stages } = this.#nic;
    this.#frames = 0;
    this.#allowedPs = nowPs + constants.msixModerationPs;
    this.sent++;
    // the message is a posted write of 4 bytes
    const left = dma.pcie.write(nowPs, 4);
    meter.book(ops.interrupt, 1, 4, left - nowPs);
    for (let i = 0; i < this.#sampled.length; i++) recorder.event(stages.interrupt, this.#sampled[i], 0, 4);
    this.#sampled.length = 0;
    this.#send();
  }
}
