import { monotonicMs } from '@vhostlab/host';
import { type HeaderBytes, writeHeader } from '@vhostlab/virtio-net';
import { type FrameSource, VerifySource } from '@vhostlab/workload';
import type { AppReport } from './app.ts';
import type { Sender } from './sender.ts';
import type { TransmitSide } from './transmit-side.ts';

const PS_PER_MS = 1e9;

/** Sends the frames of a source of package workload, at their moments or as fast as the ring takes them. */
export class SourceSender implements Sender {
  readonly #source: FrameSource;
  readonly #u8: Uint8Array;
  readonly #headerBytes: HeaderBytes;
  readonly #paced: boolean;
  #startMs = -1;
  #isDone: boolean;
  /** Some frame had offload fields: headers have to be written for every frame since. */
  #writesHeaders = false;

  /** `u8`: the arena. Not `paced`: moments of the source are ignored. */
  constructor(source: FrameSource, u8: Uint8Array, headerBytes: HeaderBytes, paced: boolean) {
    this.#source = source;
    this.#u8 = u8;
    this.#headerBytes = headerBytes;
    this.#paced = paced;
    this.#isDone = !source.next();
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  waitMs(): number {
    if (this.#isDone) return -1;
    return this.#paced ? Math.max(0, (this.#source.atPs - this.#nowPs()) / PS_PER_MS) : 0;
  }

  #nowPs(): number {
    const now = monotonicMs();
    if (this.#startMs < 0) this.#startMs = now;
    return (now - this.#startMs) * PS_PER_MS;
  }

  send(tx: TransmitSide, room: number): number {
    const now = this.#paced ? this.#nowPs() : Number.POSITIVE_INFINITY;
    const source = this.#source;
    const u8 = this.#u8;
    const { buffers } = tx;
    let n = 0;
    while (n < room && !this.#isDone && source.atPs <= now) {
      const buffer = buffers.take();
      const at = buffers.frameOffset[buffer];
      const length = source.write(u8, at);
      this.#header(at);
      tx.put(buffer, length);
      n++;
      this.#isDone = !source.next();
    }
    return n;
  }

  report(): AppReport {
    const source = this.#source;
    if (!(source instanceof VerifySource)) return {};
    const sent = source.sent.slice();
    // the frame that waits has not been sent
    if (!this.#isDone) sent[source.flow]--;
    return { sent };
  }

  #header(frameAt: number): void {
    const { offload } = this.#source;
    if ((offload.flags | offload.gsoType) !== 0) this.#writesHeaders = true;
    if (!this.#writesHeaders) return;
    writeHeader(this.#u8, frameAt - this.#headerBytes, this.#headerBytes, offload, 0);
  }
}
