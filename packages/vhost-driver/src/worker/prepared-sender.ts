import type { AppReport } from './app.ts';
import type { Buffers } from './buffers.ts';
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
  /** Buffers of the frames that are being sent, and the frames' lengths. */
  readonly #list: Uint32Array;
  readonly #lengths: Uint32Array;

  /**
   * `packets` may be Infinity. Numbers begin at `first` and go on by `step`. Frames that are all alike are put into
   * `buffers` once, so that only number and checksum are written each time.
   */
  constructor(
    frames: PreparedFrames,
    buffers: Buffers,
    burst: number,
    packets: number,
    first: number,
    step: number,
    pace?: Pace,
  ) {
    this.#frames = frames;
    this.#list = new Uint32Array(burst);
    this.#lengths = new Uint32Array(burst).fill(frames.lengths[0]);
    if (frames.isUniform) for (const offset of buffers.frameOffset) frames.copy(0, offset);
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
    const list = this.#list;
    buffers.takeBurst(list, n);
    if (!frames.isUniform) this.#copy(buffers.frameOffset, n);
    frames.number(buffers.frameOffset, list, n, this.#at, this.#sequence, this.#step);
    tx.putBurst(list, this.#lengths, n);
    this.#at = (this.#at + n) % frames.count;
    this.#sequence += n * this.#step;
    this.#sent += n;
    return n;
  }

  /** Copies the next `n` frames into the buffers of the list, and notes their lengths. */
  #copy(offsets: Uint32Array, n: number): void {
    const frames = this.#frames;
    const { lengths, count } = frames;
    const list = this.#list;
    const out = this.#lengths;
    let k = this.#at;
    for (let i = 0; i < n; i++) {
      frames.copy(k, offsets[list[i]]);
      out[i] = lengths[k];
      if (++k === count) k = 0;
    }
  }

  report(): AppReport {
    return {};
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
