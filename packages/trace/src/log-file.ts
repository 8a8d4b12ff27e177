import { RECORD, RECORD_BYTES, RECORD_NOTE, RECORD_RUN } from '@vhostlab/engine';

/** First bytes of an event log. */
export const LOG_MAGIC = 'VHLABLOG';
export const LOG_VERSION = 1;
/** Header: magic 8, u32 version, u32 strings, u32 sections, u32 bytes of the string table, u64 records. */
export const HEADER_BYTES = 32;
/** Section entry: u16 string number of the name, 6 bytes 0, u64 records. */
export const SECTION_BYTES = 16;

/** The records of one process in the order of its runs, with that process's string numbers. */
export interface LogPart {
  strings: readonly string[];
  /** Whole records; a run is never cut. */
  chunks(): Iterable<Uint8Array>;
}

/** One run of a scenario inside a log: its parts are merged. */
export interface LogSection {
  name: string;
  parts: readonly LogPart[];
}

interface Cursor {
  chunks: Iterator<Uint8Array>;
  bytes: Uint8Array;
  view: DataView;
  at: number;
  numbers: Uint16Array;
  startLow: number;
  startHigh: number;
  core: number;
  done: boolean;
}

/**
 * Merges sections into the one file format (docs/event-log.md). The outcome depends only on what the cores
 * recorded, not on which process recorded it: strings are sorted, runs are ordered by (start, core).
 */
export function mergeLog(sections: readonly LogSection[], write: (bytes: Uint8Array) => void): void {
  const names = new Set<string>();
  for (const section of sections) {
    names.add(section.name);
    for (const part of section.parts) for (const text of part.strings) names.add(text);
  }
  const strings = [...names].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0));
  const numberOf = new Map(strings.map((text, number) => [text, number]));
  const counts = sections.map((section) => countRecords(section));
  write(encodeHead(strings, sections, counts, numberOf));
  for (const section of sections) mergeSection(section, numberOf, write);
}

function countRecords(section: LogSection): number {
  let bytes = 0;
  for (const part of section.parts) for (const chunk of part.chunks()) bytes += chunk.length;
  return bytes / RECORD_BYTES;
}

function encodeHead(
  strings: readonly string[],
  sections: readonly LogSection[],
  counts: readonly number[],
  numberOf: ReadonlyMap<string, number>,
): Uint8Array {
  const encoder = new TextEncoder();
  const texts = strings.map((text) => encoder.encode(text));
  if (texts.length > 0x10000) throw new Error('event log: more than 65536 different strings');
  const long = texts.findIndex((text) => text.length > 0xffff);
  if (long >= 0)
    throw new Error(`event log: a string has more than 65535 bytes: ${strings[long].slice(0, 40)}…`);
  const stringBytes = texts.reduce((sum, text) => sum + 2 + text.length, 0);
  const body = HEADER_BYTES + stringBytes + sections.length * SECTION_BYTES;
  const head = new Uint8Array(Math.ceil(body / RECORD_BYTES) * RECORD_BYTES);
  const view = new DataView(head.buffer);
  head.set(encoder.encode(LOG_MAGIC), 0);
  view.setUint32(8, LOG_VERSION, true);
  view.setUint32(12, strings.length, true);
  view.setUint32(16, sections.length, true);
  view.setUint32(20, stringBytes, true);
  view.setBigUint64(24, BigInt(counts.reduce((sum, count) => sum + count, 0)), true);
  let at = HEADER_BYTES;
  for (const text of texts) {
    view.setUint16(at, text.length, true);
    head.set(text, at + 2);
    at += 2 + text.length;
  }
  sections.forEach((section, i) => {
    view.setUint16(at, numberOf.get(section.name) as number, true);
    view.setBigUint64(at + 8, BigInt(counts[i]), true);
    at += SECTION_BYTES;
  });
  return head;
}

function mergeSection(
  section: LogSection,
  numberOf: ReadonlyMap<string, number>,
  write: (bytes: Uint8Array) => void,
): void {
  const cursors = section.parts.map((part) => open(part, numberOf)).filter((cursor) => !cursor.done);
  writeBeginning(cursors, write);
  let out = new Uint8Array(256 * RECORD_BYTES);
  let used = 0;
  for (;;) {
    let best: Cursor | undefined;
    for (const cursor of cursors) {
      if (!cursor.done && (best === undefined || before(cursor, best))) best = cursor;
    }
    if (best === undefined) break;
    const bytes = runBytes(best);
    if (used + bytes > out.length) {
      write(out.subarray(0, used));
      used = 0;
      if (bytes > out.length) out = new Uint8Array(bytes);
    }
    takeRun(best, bytes, out, used);
    used += bytes;
  }
  write(out.subarray(0, used));
}

/**
 * Runs at moment 0 by core. Cores are created one after the other before any of them runs, all at that moment,
 * so only there a part is not in the order of (start, core).
 */
function writeBeginning(cursors: readonly Cursor[], write: (bytes: Uint8Array) => void): void {
  const runs: { core: number; bytes: Uint8Array }[] = [];
  for (const cursor of cursors) {
    while (!cursor.done && cursor.startLow === 0 && cursor.startHigh === 0) {
      const bytes = new Uint8Array(runBytes(cursor));
      const core = cursor.core;
      takeRun(cursor, bytes.length, bytes, 0);
      runs.push({ core, bytes });
    }
  }
  for (const { bytes } of runs.sort((x, y) => x.core - y.core)) write(bytes);
}

function open(part: LogPart, numberOf: ReadonlyMap<string, number>): Cursor {
  const bytes = new Uint8Array(0);
  const cursor: Cursor = {
    chunks: part.chunks()[Symbol.iterator](),
    bytes,
    view: new DataView(bytes.buffer),
    at: 0,
    numbers: Uint16Array.from(part.strings, (text) => numberOf.get(text) as number),
    startLow: 0,
    startHigh: 0,
    core: 0,
    done: false,
  };
  settle(cursor);
  return cursor;
}

/** Reads the key of the run at the cursor, fetching the next chunk when needed. */
function settle(cursor: Cursor): void {
  while (cursor.at >= cursor.bytes.length) {
    const next = cursor.chunks.next();
    if (next.done) {
      cursor.done = true;
      return;
    }
    cursor.bytes = next.value;
    cursor.view = new DataView(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    cursor.at = 0;
  }
  const { view, at } = cursor;
  if (view.getUint16(at + RECORD.kind, true) !== RECORD_RUN) {
    throw new Error('event log: a record stands outside of a run');
  }
  cursor.startLow = view.getUint32(at + RECORD.timePs, true);
  cursor.startHigh = view.getUint32(at + RECORD.timePs + 4, true);
  cursor.core = cursor.numbers[view.getUint16(at + RECORD.core, true)];
}

function before(x: Cursor, y: Cursor): boolean {
  if (x.startHigh !== y.startHigh) return x.startHigh < y.startHigh;
  if (x.startLow !== y.startLow) return x.startLow < y.startLow;
  return x.core < y.core;
}

/** Bytes of the run at the cursor with all its records. */
function runBytes({ view, at }: Cursor): number {
  return (1 + view.getUint32(at + RECORD.length, true)) * RECORD_BYTES;
}

/** Copies the run at the cursor with the numbers of the merged strings, and moves on. */
function takeRun(cursor: Cursor, bytes: number, out: Uint8Array, to: number): void {
  out.set(cursor.bytes.subarray(cursor.at, cursor.at + bytes), to);
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  for (let at = to; at < to + bytes; at += RECORD_BYTES) {
    view.setUint16(at + RECORD.stage, cursor.numbers[view.getUint16(at + RECORD.stage, true)], true);
    view.setUint16(at + RECORD.core, cursor.numbers[view.getUint16(at + RECORD.core, true)], true);
    if (view.getUint16(at + RECORD.kind, true) === RECORD_NOTE) {
      view.setUint16(at + RECORD.text, cursor.numbers[view.getUint16(at + RECORD.text, true)], true);
    }
  }
  cursor.at += bytes;
  settle(cursor);
}
