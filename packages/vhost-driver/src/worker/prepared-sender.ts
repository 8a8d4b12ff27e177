import type { Pace } from './pace.ts';
import type { PreparedFrames } from './prepared-frames.ts';
import type { Sender } from './sender.ts';
import type { TransmitSide } from './transmit-side.ts';

/** Sends prepared frames again and again, each with a sequence number of its own. */
export class PreparedSender implements Sender {
  readonly #frames: PreparedFrames;
  readonly #pace: Pace | undefined;
  readonly #packets: number;
  /** Sequence numbers of this sender: `#step` apart, so that senders of one stream share no number. */
  readonly #step: number;
  #sequence: number;
  #sent = 0;
  #at = 0;

  /** `packets` may be Infinity. Numbers begin at `first` and go on by `step`. */
  constructor(frames: PreparedFrames, packets: number, first: number, step: number, pace?: Pace) {
    this.#frames = frames;
    this.#packets = packets;
    this.#sequence = first;
    this.#step = step;
    this.#pace = pace;
    pace?.next(frames.lengths[0]);
  }

  get isDone(): boolean {
    return this.#sent >= this.#packets;
  }

  waitMs(): number {
    if (this.isDone) return -1;
    return this.#pace === undefined ? 0 : this.#pace.waitMs();
  }

  send(tx: TransmitSide, room: number): number {
    const left = this.#packets - this.#sent;
    const most = room < left ? room : left;
    const n = this.#pace === undefined ? most : this.#due(this.#pace, most);
    const frames = this.#frames;
    const { buffers } = tx;
    const { frameOffset } = buffers;
    const { lengths, count } = frames;
    const step = this.#step;
    let sequence = this.#sequence;
    let at = this.#at;
    for (let i = 0; i < n; i++) {
      const buffer = buffers.take();
      frames.write(at, sequence, frameOffset[buffer]);
      tx.put(buffer, lengths[at]);
      sequence += step;
      if (++at === count) at = 0;
    }
    this.#at = at;
    this.#sequence = sequence;
    this.#sent += n;
    return n;
  }

  /** How many frames are due now, at most `most`. */
  #due(pace: Pace, most: number): number {
    const { lengths, count } = this.#frames;
    const now = pace.nowPs();
    let n = 0;
    while (n < most && pace.isDue(now)) {
      n++;
      pace.next(lengths[(this.#at + n) % count]);
    }
    return n;
  }
}
