import { createFile, type Fd, wallClockMs, writeBytes } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import { PcapngWriter } from '@vhostlab/packet';
import type { FrameBatch } from '../frames/frame-batch.ts';
import { DropPort } from './drop-port.ts';
import type { Port } from './port.ts';

const NS_PER_MS = 1_000_000n;
const FLUSH_BYTES = 256 * 1024;

/** Writes what the guest sends into a pcapng file, and gives the guest what another port has (a replay, or nothing). */
export class CapturePort implements Port {
  readonly drops = { 'capture-failed': 0 };
  readonly #file: Fd;
  readonly #writer = new PcapngWriter();
  readonly #u8: Uint8Array;
  readonly #source: Port;
  #keptBytes = 0;

  /** Throws the system's error when the file cannot be made. */
  constructor(path: string, arena: Arena, source: Port = new DropPort()) {
    this.#file = createFile(path);
    this.#u8 = arena.u8;
    this.#source = source;
    this.#writer.addInterface({ name: 'guest' });
    this.flush();
  }

  get waitNumber(): number {
    return this.#source.waitNumber;
  }

  get keeps(): boolean {
    return this.#source.keeps;
  }

  get finished(): string | undefined {
    return this.#source.finished;
  }

  fromGuest(batch: FrameBatch): void {
    const timestampNs = BigInt(wallClockMs()) * NS_PER_MS;
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset[i];
      this.#writer.write({ bytes: this.#u8.subarray(at, at + batch.length[i]), timestampNs });
      this.#keptBytes += batch.length[i];
    }
    if (this.#keptBytes >= FLUSH_BYTES) this.flush();
  }

  toGuest(batch: FrameBatch, max: number): void {
    this.#source.toGuest(batch, max);
  }

  negotiated(features: bigint): void {
    this.#source.negotiated(features);
  }

  dueInNs(nowNs: number): number {
    return this.#source.dueInNs(nowNs);
  }

  flush(): void {
    const bytes = this.#writer.take();
    this.#keptBytes = 0;
    for (let at = 0; at < bytes.length; ) {
      const put = writeBytes(this.#file, bytes.subarray(at));
      if (typeof put === 'string') {
        this.drops['capture-failed']++;
        return;
      }
      at += put;
    }
  }

  close(): void {
    this.flush();
    this.#file.close();
    this.#source.close();
  }
}
