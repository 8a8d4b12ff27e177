import { RECORD, RECORD_BYTES, RECORD_EVENT, RECORD_NOTE, RECORD_RUN } from '@vhostlab/engine';
import { HEADER_BYTES, LOG_MAGIC, LOG_VERSION } from './log-file.ts';

/** A log that cannot be read; the message says what is wrong and at which byte. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

/** One record, decoded for people and analysis. */
export interface LogRecord {
  kind: 'event' | 'run' | 'note';
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

/** A read log: sections in order, each a run of a scenario. */
export interface EventLog {
  strings: string[];
  sections: { name: string; records: number; read(): Generator<LogRecord> }[];
}

/** Opens a log held in memory. Throws LogError for anything that is no whole log of this version. */
export function readLog(bytes: Uint8Array): EventLog {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder();
  if (bytes.length < HEADER_BYTES || decoder.decode(bytes.subarray(0, 8)) !== LOG_MAGIC) {
    throw new LogError(`not an event log: it does not begin with ${LOG_MAGIC}`);
  }
  const version = view.getUint32(8, true);
  if (version !== LOG_VERSION)
    throw new LogError(`event log version ${version}; this program reads ${LOG_VERSION}`);
  const stringCount = view.getUint32(12, true);
  const sectionCount = view.getUint32(16, true);
  const stringBytes = view.getUint32(20, true);
  const head = HEADER_BYTES + stringBytes + sectionCount * 16;
  if (head > bytes.length) throw new LogError(`event log is cut at byte ${bytes.length}, inside its header`);
  const strings: string[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < stringCount; i++) {
    if (at + 2 > HEADER_BYTES + stringBytes)
      throw new LogError(`event log: string ${i} lies outside its table`);
    const length = view.getUint16(at, true);
    strings.push(decoder.decode(bytes.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  let from = Math.ceil(head / RECORD_BYTES) * RECORD_BYTES;
  const sections: EventLog['sections'] = [];
  for (let i = 0; i < sectionCount; i++) {
    const name = strings[view.getUint16(at, true)];
    const records = Number(view.getBigUint64(at + 8, true));
    const start = from;
    from += records * RECORD_BYTES;
    if (from > bytes.length)
      throw new LogError(`event log is cut at byte ${bytes.length}, inside section ${name}`);
    sections.push({ name, records, read: () => readRecords(view, strings, start, records) });
    at += 16;
  }
  return { strings, sections };
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
  for (let i = 0; i < records; i++) {
    const at = start + i * RECORD_BYTES;
    const kind = KINDS.get(view.getUint16(at + RECORD.kind, true));
    if (kind === undefined) throw new LogError(`event log: unknown record kind at byte ${at}`);
    const packet = view.getUint32(at + RECORD.packet, true);
    yield {
      kind,
      timePs: Number(view.getBigUint64(at + RECORD.timePs, true)),
      packet: packet === 0xffffffff ? -1 : packet,
      stage: strings[view.getUint16(at + RECORD.stage, true)],
      core: strings[view.getUint16(at + RECORD.core, true)],
      address: Number(view.getBigUint64(at + RECORD.address, true)),
      length: view.getUint32(at + RECORD.length, true),
      text: kind === 'note' ? strings[view.getUint16(at + RECORD.text, true)] : '',
    };
  }
}
