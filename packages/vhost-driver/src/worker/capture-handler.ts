import { monotonicMs, wallClockMs, writeBytes } from '@vhostlab/host';
import { PcapngWriter } from '@vhostlab/packet';
import type { AppReport } from './app.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { ReceiveSide } from './receive-side.ts';

const FLUSH_BYTES = 256 * 1024;
const NS_PER_US = 1000n;
const US_PER_MS = 1000;

/** A writer whose section has one interface per queue pair, as all that write into one file have it. */
export function captureWriter(pairs: number): PcapngWriter {
  const writer = new PcapngWriter();
  for (let pair = 0; pair < pairs; pair++) writer.addInterface({ name: `rx${pair}` });
  return writer;
}

/**
 * Writes every frame into a pcapng file, then gives it to another handler. Workers share the file: each write is made of
 * whole blocks, and the section's head was written before by the main thread.
 */
export class CaptureHandler implements FrameHandler {
  readonly #file: { readonly number: number };
  readonly #u8: Uint8Array;
  readonly #pair: number;
  readonly #next: FrameHandler;
  readonly #writer: PcapngWriter;
  /** Wall clock at the start of this thread's monotonic one. */
  readonly #epochMs = wallClockMs() - monotonicMs();
  #keptBytes = 0;
  #failures = 0;

  constructor(fileNumber: number, u8: Uint8Array, pair: number, pairs: number, next: FrameHandler) {
    this.#file = { number: fileNumber };
    this.#u8 = u8;
    this.#pair = pair;
    this.#next = next;
    this.#writer = captureWriter(pairs);
    this.#writer.take();
  }

  take(rx: ReceiveSide): void {
    const timestampNs = BigInt(Math.round((this.#epochMs + monotonicMs()) * US_PER_MS)) * NS_PER_US;
    const { count, length } = rx.frames;
    for (let f = 0; f < count; f++) {
      const at = rx.contiguous(f);
      const bytes = this.#u8.subarray(at, at + length[f]);
      this.#writer.write({ bytes, timestampNs, interfaceId: this.#pair });
      this.#keptBytes += length[f];
    }
    if (this.#keptBytes >= FLUSH_BYTES) this.#flush();
    this.#next.take(rx);
  }

  #flush(): void {
    const bytes = this.#writer.take();
    this.#keptBytes = 0;
    for (let at = 0; at < bytes.length && this.#failures === 0; ) {
      const put = writeBytes(this.#file, bytes.subarray(at));
      if (typeof put === 'string') this.#failures++;
      else at += put;
    }
  }

  report(): AppReport {
    this.#flush();
    return { ...this.#next.report(), captureFailed: this.#failures > 0 };
  }
}
