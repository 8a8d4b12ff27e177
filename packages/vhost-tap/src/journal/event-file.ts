import type { RingSample } from '../observe/ring-sample.ts';
import { FileSink } from './file-sink.ts';

/** Format of `events.bin` (docs/vhost-user-tap.md): a header of 32 bytes, then records of 32 bytes. */
export const EVENT_MAGIC = 'VHLABTAP';
export const EVENT_VERSION = 1;
export const EVENT_RECORD_BYTES = 32;
export const EVENT_SAMPLE = 1;
export const EVENT_KICK = 2;
export const EVENT_CALL = 3;
export const EVENT_MESSAGE = 4;

/** Writes what happens to rings, one record each. */
export class EventFile {
  readonly #sink: FileSink;
  readonly #bytes = new Uint8Array(EVENT_RECORD_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  records = 0;

  /** `startedMs`: wall clock at time 0. */
  constructor(path: string, startedMs: number) {
    this.#sink = new FileSink(path);
    const header = new Uint8Array(EVENT_RECORD_BYTES);
    const view = new DataView(header.buffer);
    header.set(new TextEncoder().encode(EVENT_MAGIC));
    view.setUint32(8, EVENT_VERSION, true);
    view.setUint32(12, EVENT_RECORD_BYTES, true);
    view.setBigUint64(16, BigInt(Math.round(startedMs)), true);
    this.#sink.bytes(header);
  }

  /** A ring that has changed, or a kick or call with the ring as it was then. `count`: signals that came together. */
  ring(kind: number, timeNs: number, session: number, queue: number, sample: RingSample, count = 0): void {
    const view = this.#begin(kind, timeNs, session, queue);
    view.setUint16(12, sample.avail & 0xffff, true);
    view.setUint16(14, sample.used & 0xffff, true);
    view.setUint32(16, kind === EVENT_SAMPLE ? sample.availMissed : count, true);
    view.setUint32(20, kind === EVENT_SAMPLE ? sample.usedMissed : 0, true);
    view.setUint16(24, sample.driverFlags & 0xffff, true);
    view.setUint16(26, sample.driverEvent & 0xffff, true);
    view.setUint16(28, sample.deviceFlags & 0xffff, true);
    view.setUint16(30, sample.deviceEvent & 0xffff, true);
    this.#end();
  }

  /** A message; `line`: its line in messages.jsonl, from 0. */
  message(timeNs: number, session: number, request: number, flags: number, size: number, line: number): void {
    const view = this.#begin(EVENT_MESSAGE, timeNs, session, 0xff);
    view.setUint32(12, request, true);
    view.setUint32(16, flags, true);
    view.setUint32(20, size, true);
    view.setUint32(24, line, true);
    this.#end();
  }

  flush(): void {
    this.#sink.flush();
  }

  close(): void {
    this.#sink.close();
  }

  #begin(kind: number, timeNs: number, session: number, queue: number): DataView {
    this.#bytes.fill(0);
    this.#view.setBigUint64(0, BigInt(Math.round(timeNs)), true);
    this.#view.setUint8(8, kind);
    this.#view.setUint8(9, queue);
    this.#view.setUint16(10, session, true);
    return this.#view;
  }

  #end(): void {
    this.#sink.bytes(this.#bytes);
    this.records++;
  }
}
