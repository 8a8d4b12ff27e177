import { NO_PACKET, RECORD, RECORD_BYTES, RECORD_EVENT, RECORD_NOTE, RECORD_RUN } from '@vhostlab/engine';
import { HEADER_BYTES, LOG_MAGIC, LOG_VERSION, SECTION_BYTES } from './log-file.ts';

/** A log that cannot be read; the message says what is wrong and at which byte. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

/** One record, decoded for people and analysis. */
export interface LogRecord {
  kind: 'event' | 'run' | 'note';
  /** Virtual time in picoseconds; for a run its start. */
  timePs: number;
  /** Packet number, -1 for none. */
  packet: number;
  /** Stage; for a run the task. */
  stage: string;
  core: string;
  /** Address or first argument; for a run its duration in picoseconds. */
  address: number;
  /** Length or second argument; for a run the records inside it. */
  length: number;
  /** Text of a note, else empty. */
  text: string;
}

/** One section of a read log: a run of a scenario. Every `read` starts again at its first record. */
export interface EventLogSection {
  name: string;
  records: number;
  read(): Generator<LogRecord>;
}

/** A read log: sections in order, each a run of a scenario. */
export interface EventLog {
  strings: string[];
  sections: EventLogSection[];
}

const HIGHEST_PS = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Opens a log held in memory. Throws LogError, naming the byte, for anything that is no whole log of this
 * version; faults inside records are found when their section is read.
 */
export function readLog(bytes: Uint8Array): EventLog {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkMagic(bytes);
  const version = view.getUint32(8, true);
  if (version !== LOG_VERSION) {
    throw new LogError(`event log version ${version} at byte 8; this program reads ${LOG_VERSION}`);
  }
  const stringCount = view.getUint32(12, true);
  const sectionCount = view.getUint32(16, true);
  const tableEnd = HEADER_BYTES + view.getUint32(20, true);
  const head = tableEnd + sectionCount * SECTION_BYTES;
  if (head > bytes.length) {
    throw new LogError(`event log is cut at byte ${bytes.length}, inside its header of ${head} bytes`);
  }
  const strings = readStrings(bytes, view, stringCount, tableEnd);
  let from = Math.ceil(head / RECORD_BYTES) * RECORD_BYTES;
  let total = 0n;
  const sections: EventLogSection[] = [];
  for (let at = tableEnd; at < head; at += SECTION_BYTES) {
    const name = stringAt(strings, view.getUint16(at, true), at);
    const count = view.getBigUint64(at + 8, true);
    total += count;
    const start = from;
    if (count > BigInt(Math.max(0, bytes.length - start)) / BigInt(RECORD_BYTES)) {
      throw new LogError(`event log is cut at byte ${bytes.length}, inside section ${name} (byte ${start})`);
    }
    const records = Number(count);
    from += records * RECORD_BYTES;
    sections.push({ name, records, read: () => readRecords(view, strings, start, records) });
  }
  const announced = view.getBigUint64(24, true);
  if (announced !== total) {
    throw new LogError(
      `event log: the header announces ${announced} records at byte 24, its sections ${total}`,
    );
  }
  if (from < bytes.length) throw new LogError(`event log: unknown bytes after its end at byte ${from}`);
  return { strings, sections };
}

function checkMagic(bytes: Uint8Array): void {
  for (let i = 0; i < LOG_MAGIC.length; i++) {
    if (bytes[i] !== LOG_MAGIC.charCodeAt(i)) {
      throw new LogError(`not an event log: byte ${i} differs from ${LOG_MAGIC}`);
    }
  }
  if (bytes.length < HEADER_BYTES) {
    throw new LogError(
      `event log is cut at byte ${bytes.length}, inside its header of ${HEADER_BYTES} bytes`,
    );
  }
}

function readStrings(bytes: Uint8Array, view: DataView, count: number, end: number): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const strings: string[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const length = at + 2 <= end ? view.getUint16(at, true) : 0;
    if (at + 2 + length > end) {
      throw new LogError(`event log: string ${i} at byte ${at} lies outside its table, which ends at ${end}`);
    }
    let text: string;
    try {
      text = decoder.decode(bytes.subarray(at + 2, at + 2 + length));
    } catch (cause) {
      throw new LogError(`event log: string ${i} at byte ${at} is not UTF-8`, { cause });
    }
    if (i > 0 && !(strings[i - 1] < text)) {
      throw new LogError(`event log: string ${i} at byte ${at} is not in order after "${strings[i - 1]}"`);
    }
    strings.push(text);
    at += 2 + length;
  }
  if (at !== end) throw new LogError(`event log: unknown bytes in the string table at byte ${at}`);
  return strings;
}

function stringAt(strings: string[], number: number, at: number): string {
  const text = strings[number];
  if (text === undefined) throw new LogError(`event log: no string ${number}, named at byte ${at}`);
  return text;
}

const KINDS = new Map<number, LogRecord['kind']>([
  [RECORD_EVENT, 'event'],
  [RECORD_RUN, 'run'],
  [RECORD_NOTE, 'note'],
]);

function* readRecords(
  view: DataView,
  strings: string[],
  start: number,
  records: number,
): Generator<LogRecord> {
  let runEnds = 0;
  for (let i = 0; i < records; i++) {
    const at = start + i * RECORD_BYTES;
    const kind = KINDS.get(view.getUint16(at + RECORD.kind, true));
    if (kind === undefined) {
      throw new LogError(`event log: unknown record kind at byte ${at + RECORD.kind}`);
    }
    if ((kind === 'run') !== (i === runEnds)) {
      throw new LogError(
        kind === 'run'
          ? `event log: a run begins inside another at byte ${at}`
          : `event log: a record stands outside of a run at byte ${at}`,
      );
    }
    const length = view.getUint32(at + RECORD.length, true);
    if (kind === 'run') {
      runEnds = i + 1 + length;
      if (runEnds > records) {
        throw new LogError(`event log: the run at byte ${at} reaches beyond its section`);
      }
    }
    const packet = view.getUint32(at + RECORD.packet, true);
    yield {
      kind,
      timePs: wordAt(view, at + RECORD.timePs),
      packet: packet === NO_PACKET ? -1 : packet,
      stage: stringAt(strings, view.getUint16(at + RECORD.stage, true), at + RECORD.stage),
      core: stringAt(strings, view.getUint16(at + RECORD.core, true), at + RECORD.core),
      address: wordAt(view, at + RECORD.address),
      length,
      text:
        kind === 'note' ? stringAt(strings, view.getUint16(at + RECORD.text, true), at + RECORD.text) : '',
    };
  }
}

function wordAt(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > HIGHEST_PS) throw new LogError(`event log: the value at byte ${at} is above 2^53`);
  return Number(value);
}
