import { monotonicNs, wallClockMs } from '@vhostlab/host';
import type { Channel, Message } from '@vhostlab/vhost-user';
import type { FlowViolation, Sender } from '../flow/rules.ts';
import { EVENT_CALL, EVENT_KICK, EVENT_SAMPLE, EventFile } from '../journal/event-file.ts';
import { FrameFile } from '../journal/frame-file.ts';
import { LiveLog } from '../journal/live-log.ts';
import type { RingSample } from '../observe/ring-sample.ts';
import type { Direction } from '../observe/ring-to-observe.ts';
import type { RingViolation } from '../observe/rules.ts';
import type { FdNote, HeadLine, NoteLine, RecordLine, SignalNote } from '../record/record-lines.ts';
import { RecordWriter } from '../record/record-writer.ts';
import { ViolationCounts } from './violation-counts.ts';

const MIB = 2 ** 20;

export interface JournalOptions {
  /** Folder, which exists. */
  readonly out: string;
  readonly listen: string;
  readonly connect: string;
  readonly notifications: boolean;
  readonly sampleHz: number;
  /** Frames kept. */
  readonly maxFrames: number;
  /** Guest memory kept for the replay. */
  readonly maxRecordMiB: number;
  /** Gets every line of the live log too. */
  readonly echo: ((line: string) => void) | null;
}

/** Everything that a tap writes down: live log, binary events, record, frames. Time runs from its making. */
export class Journal {
  readonly record: RecordWriter;
  readonly violations = new ViolationCounts();
  readonly #startNs = monotonicNs();
  readonly #startMs = wallClockMs();
  readonly #live: LiveLog;
  readonly #events: EventFile;
  readonly #frames: FrameFile;
  kicks = 0;
  calls = 0;
  messages = 0;
  #isClosed = false;

  /** Makes the files. Throws the system's error, which names the one that cannot be made. */
  constructor(options: JournalOptions) {
    const { out } = options;
    this.#live = new LiveLog(`${out}/live.log`, options.echo);
    this.#events = new EventFile(`${out}/events.bin`, this.#startMs);
    this.#frames = new FrameFile(`${out}/frames.pcapng`, options.maxFrames);
    const limit = options.maxRecordMiB * MIB;
    this.record = new RecordWriter(`${out}/messages.jsonl`, `${out}/memory.bin`, limit);
    const head: HeadLine = {
      kind: 'record',
      version: 1,
      startedMs: this.#startMs,
      listen: options.listen,
      connect: options.connect,
      notifications: options.notifications,
      sampleHz: options.sampleHz,
    };
    this.record.write(head);
  }

  /** Nanoseconds since the tap began. */
  get nowNs(): number {
    return monotonicNs() - this.#startNs;
  }

  get wantsFrames(): boolean {
    return !this.#frames.isFull;
  }

  get frameCount(): number {
    return this.#frames.frames;
  }

  message(
    session: number,
    channel: Channel,
    from: Sender,
    message: Message,
    bytes: Uint8Array,
    fds: readonly FdNote[],
  ): void {
    const t = this.nowNs;
    const { request, flags, size } = message.header;
    this.messages++;
    this.#live.message(t, session, message);
    this.#events.message(t, session, request, flags, size, this.record.lineCount);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
    this.line({ kind: 'message', session, t, channel, from, name: message.name, bytes: text, fds });
  }

  /** A kick or call, with the ring as it was then. */
  notification(
    session: number,
    kind: 'kick' | 'call',
    queue: number,
    count: number,
    sample: RingSample | null,
  ): void {
    const t = this.nowNs;
    if (kind === 'kick') this.kicks++;
    else this.calls++;
    this.#live.notification(t, session, kind === 'kick' ? 'KICK' : 'CALL', queue, sample);
    if (sample !== null) {
      this.#events.ring(kind === 'kick' ? EVENT_KICK : EVENT_CALL, t, session, queue, sample, count);
    }
    if (this.record.hasRoom) this.line({ kind, session, t, queue, count });
  }

  /** A sample of a ring that has changed. */
  sample(session: number, queue: number, sample: RingSample): void {
    const t = this.nowNs;
    this.#live.ring(t, session, queue, sample);
    this.#events.ring(EVENT_SAMPLE, t, session, queue, sample);
  }

  violation(session: number, queue: number | null, violation: FlowViolation | RingViolation): void {
    const { code, party, text, clause } = violation;
    const t = this.nowNs;
    if (!this.violations.add({ code, party, queue, text, clause })) return;
    const where = queue === null ? '' : ` vq${queue}`;
    this.#live.line(t, session, `VIOLATION ${party}${where} ${code}: ${text} [${clause}]`);
    this.line({ kind: 'violation', session, t, code, party, queue, text, clause });
  }

  note(session: number, kind: NoteLine['kind'], text: string, signal?: SignalNote): void {
    const t = this.nowNs;
    this.#live.line(t, session, `${kind.toUpperCase()} ${text}`);
    this.line({ kind, session, t, text, ...(signal === undefined ? {} : { signal }) });
  }

  frame(session: number, queue: number, direction: Direction, bytes: Uint8Array, length: number): void {
    const wallNs = BigInt(Math.floor(this.#startMs)) * 1_000_000n + BigInt(Math.floor(this.nowNs));
    this.#frames.frame(session, queue, direction, bytes, length, wallNs);
  }

  line(line: RecordLine): void {
    this.record.write(line);
  }

  /** Brings the files up to date. */
  flush(): void {
    if (this.#isClosed) return;
    this.#live.flush();
    this.#events.flush();
    this.#frames.flush();
    this.record.flush();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#live.close();
    this.#events.close();
    this.#frames.close();
    this.record.close();
  }
}
