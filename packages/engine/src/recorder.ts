import type { Ps, Recorder, TaskResult } from './api.ts';
import { NO_PACKET, RECORD, RECORD_BYTES, RECORD_EVENT, RECORD_NOTE, RECORD_RUN } from './log-format.ts';

/** Takes finished parts of a log; the bytes are valid only during the call. */
export type LogSink = (chunk: Uint8Array) => void;

const CHUNK_BYTES = 64 * 1024;

/** The log of one process: records in the order of runs, with the process's own string numbers. */
export class LogWriter {
  readonly #sink: LogSink | undefined;
  readonly #numbers = new Map<string, number>();
  readonly strings: string[] = [];
  bytes = new Uint8Array(CHUNK_BYTES);
  view = new DataView(this.bytes.buffer);
  used = 0;
  records = 0;

  /** Without a sink nothing is kept. */
  constructor(sink?: LogSink) {
    this.#sink = sink;
  }

  get enabled(): boolean {
    return this.#sink !== undefined;
  }

  string(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.strings.length;
      if (number > 0xffff) throw new Error('event log: more than 65536 different strings');
      this.#numbers.set(text, number);
      this.strings.push(text);
    }
    return number;
  }

  /** Writes one record and returns its position in the buffer. */
  append(
    kind: number,
    timePs: Ps,
    packet: number,
    stage: number,
    core: number,
    address: number,
    length: number,
    text: number,
  ): number {
    if (this.used + RECORD_BYTES > this.bytes.length) this.#grow();
    const at = this.used;
    const view = this.view;
    const high = Math.floor(timePs / 4294967296);
    view.setUint32(at + RECORD.timePs, timePs - high * 4294967296, true);
    view.setUint32(at + RECORD.timePs + 4, high, true);
    view.setUint32(at + RECORD.packet, packet, true);
    view.setUint16(at + RECORD.stage, stage, true);
    view.setUint16(at + RECORD.core, core, true);
    const addressHigh = Math.floor(address / 4294967296);
    view.setUint32(at + RECORD.address, address - addressHigh * 4294967296, true);
    view.setUint32(at + RECORD.address + 4, addressHigh, true);
    view.setUint32(at + RECORD.length, length, true);
    view.setUint16(at + RECORD.kind, kind, true);
    view.setUint16(at + RECORD.text, text, true);
    this.used += RECORD_BYTES;
    this.records++;
    return at;
  }

  /** Hands over what is complete; called between runs only. */
  flushWhenFull(): void {
    if (this.used >= CHUNK_BYTES / 2) this.flush();
  }

  flush(): void {
    if (this.used === 0) return;
    this.#sink?.(this.bytes.subarray(0, this.used));
    this.used = 0;
  }

  #grow(): void {
    const bytes = new Uint8Array(this.bytes.length * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

/**
 * One core's recorder: run records and the events inside them. A run that recorded nothing leaves a record only
 * when packets are sampled and it found something to do.
 */
export class CoreRecorder implements Recorder {
  readonly #log: LogWriter;
  readonly #core: number;
  readonly #stride: number;
  readonly #clock: { nowPs: Ps };
  readonly #keeps: boolean;
  #task = 0;
  #startPs: Ps = 0;
  /** Place of the record of the run under way, -1 while it has none. */
  #runAt = -1;
  #runRecords = 0;

  constructor(log: LogWriter, coreId: string, stride: number, clock: { nowPs: Ps }) {
    this.#log = log;
    this.#keeps = log.enabled;
    this.#core = this.#keeps ? log.string(coreId) : 0;
    this.#stride = stride;
    this.#clock = clock;
  }

  sampled(packet: number): boolean {
    return this.#keeps && this.#stride > 0 && packet >= 0 && packet % this.#stride === 0;
  }

  event(stage: number, packet: number, address: number, length: number): void {
    this.eventAt(this.#clock.nowPs, stage, packet, address, length);
  }

  eventAt(at: Ps, stage: number, packet: number, address: number, length: number): void {
    if (!this.#keeps || (packet < 0 && this.#stride === 0)) return;
    if (this.#runAt < 0) this.#open();
    this.#log.append(
      RECORD_EVENT,
      at,
      packet < 0 ? NO_PACKET : packet,
      stage,
      this.#core,
      address,
      length,
      0,
    );
  }

  note(stage: number, text: string, a: number, b: number): void {
    if (!this.#keeps) return;
    if (this.#runAt < 0) this.#open();
    const log = this.#log;
    log.append(RECORD_NOTE, this.#clock.nowPs, NO_PACKET, stage, this.#core, a, b, log.string(text));
  }

  /** A run begins; its record is written when there is something to put into it. */
  begin(task: number, startPs: Ps): void {
    this.#task = task;
    this.#startPs = startPs;
  }

  /** Completes the record of the run, if it gets one. */
  end(startPs: Ps, result: TaskResult, worthKeeping: boolean): void {
    if (this.#runAt < 0) {
      if (!worthKeeping || !this.#keeps || this.#stride === 0) return;
      this.#open();
    }
    const log = this.#log;
    const duration = this.#clock.nowPs - startPs;
    const high = Math.floor(duration / 4294967296);
    log.view.setUint32(this.#runAt + RECORD.address, duration - high * 4294967296, true);
    log.view.setUint32(this.#runAt + RECORD.address + 4, high, true);
    log.view.setUint32(this.#runAt + RECORD.length, log.records - this.#runRecords - 1, true);
    log.view.setUint16(this.#runAt + RECORD.text, result, true);
    this.#runAt = -1;
    log.flushWhenFull();
  }

  stage(name: string): number {
    return this.#keeps ? this.#log.string(name) : 0;
  }

  #open(): void {
    const log = this.#log;
    this.#runRecords = log.records;
    this.#runAt = log.append(RECORD_RUN, this.#startPs, NO_PACKET, this.#task, this.#core, 0, 0, 0);
  }
}
