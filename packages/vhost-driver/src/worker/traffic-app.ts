import type { App, AppReport, PairContext } from './app.ts';
import { COUNTER } from './counters.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { ReceiveSide } from './receive-side.ts';
import type { SendWindow } from './send-window.ts';
import type { Sender } from './sender.ts';
import type { TransmitSide } from './transmit-side.ts';

const FULL = COUNTER.full;

/** Sends what a sender gives, takes what comes; either may be missing. */
export class TrafficApp implements App {
  readonly #rx: ReceiveSide;
  readonly #tx: TransmitSide;
  readonly #handler: FrameHandler;
  readonly #sender: Sender | null;
  readonly #burst: number;
  readonly #window: SendWindow | null;
  #isFinished = false;
  /** The last turn found no room in the ring, or in the window. */
  #isFull = false;
  #isWindowFull = false;

  constructor(
    context: PairContext,
    sender: Sender | null,
    handler: FrameHandler,
    window: SendWindow | null = null,
  ) {
    this.#rx = context.rx;
    this.#tx = context.tx;
    this.#handler = handler;
    this.#sender = sender;
    this.#burst = context.plan.burst;
    this.#window = window;
  }

  turn(): boolean {
    const received = this.#receive();
    return this.#send() || received;
  }

  #receive(): boolean {
    const rx = this.#rx;
    if (rx.poll() === 0) return false;
    this.#handler.take(rx);
    rx.repost();
    return true;
  }

  #send(): boolean {
    const sender = this.#sender;
    if (sender === null) return false;
    const tx = this.#tx;
    if (this.#isFinished || sender.isDone) return tx.inFlight > 0 && tx.reclaim() > 0;
    const burst = this.#burst;
    let room = tx.room;
    let reclaimed = 0;
    if (room < burst) {
      reclaimed = tx.reclaim();
      room = tx.room;
    }
    this.#isFull = room === 0;
    if (room === 0) {
      tx.ring.counters[FULL] += 1;
      return false;
    }
    const sent = sender.send(tx, this.#limit(room < burst ? room : burst));
    tx.flush();
    return sent > 0 || reclaimed > 0;
  }

  /** As much of `room` as the window leaves. */
  #limit(room: number): number {
    const window = this.#window;
    if (window === null) return room;
    const open = window.room();
    this.#isWindowFull = open === 0;
    return open < room ? open : room;
  }

  collect(): boolean {
    const received = this.#receive();
    return this.#tx.reclaim() > 0 || received;
  }

  finish(): void {
    this.#isFinished = true;
  }

  get isDone(): boolean {
    if (this.#sender === null) return this.#isFinished;
    return (this.#isFinished || this.#sender.isDone) && this.#tx.inFlight === 0;
  }

  get awaitsTx(): boolean {
    const sender = this.#sender;
    if (sender === null) return false;
    return this.#isFull || ((this.#isFinished || sender.isDone) && this.#tx.inFlight > 0);
  }

  waitMs(): number {
    if (this.#sender === null || this.#isFinished || this.#isFull) return -1;
    return this.#isWindowFull && this.#window !== null ? this.#window.waitMs() : this.#sender.waitMs();
  }

  report(): AppReport {
    return { ...this.#handler.report(), ...this.#sender?.report() };
  }
}
