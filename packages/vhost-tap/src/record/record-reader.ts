import { readFileBytes } from '@vhostlab/host';
import type { HeadLine, MemoryNote, RecordLine } from './record-lines.ts';

/** A line after the first one. */
export type BodyLine = Exclude<RecordLine, HeadLine>;

/** A record that cannot be read, in one sentence. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly exitCode = 2;
}

/** What a tap has written down. */
export interface TapRecord {
  readonly head: HeadLine;
  readonly lines: readonly BodyLine[];
  /** Bytes of guest memory that a line points at. Throws a RecordError when the file is too short for them. */
  memory(note: MemoryNote): Uint8Array;
}

/** Bytes longer than any line that a tap writes. */
const MAX_LINE_BYTES = 2 ** 24;

/**
 * Reads the record in a tap's folder, of a tap that has ended or still runs: a last line that is cut off is passed over.
 * With `kinds`, only lines of these. Throws a RecordError.
 */
export function readRecord(folder: string, kinds?: ReadonlySet<BodyLine['kind']>): TapRecord {
  const path = `${folder}/messages.jsonl`;
  const rows = linesOf(path);
  const head = rows.next().value;
  if (head?.kind !== 'record' || head.version !== 1) {
    throw new RecordError(`${path} does not begin like the record of a tap, version 1.`);
  }
  const lines: BodyLine[] = [];
  for (const line of rows) {
    if (line.kind !== 'record' && (kinds === undefined || kinds.has(line.kind))) lines.push(line);
  }
  let memory: Uint8Array | undefined;
  return {
    head,
    lines,
    memory: ({ at, bytes }) => {
      const file = `${folder}/memory.bin`;
      memory ??= readFile(file);
      if (!(at >= 0 && bytes >= 0 && at + bytes <= memory.length)) {
        throw new RecordError(`${file} has ${memory.length} bytes, and a line points at byte ${at + bytes}.`);
      }
      return memory.subarray(at, at + bytes);
    },
  };
}

/** Lines of a file that end in a newline, one at a time: a record may be longer than a string can be. */
function* linesOf(path: string): Generator<RecordLine, undefined> {
  const bytes = readFile(path);
  const decoder = new TextDecoder();
  let number = 1;
  for (let from = 0; ; number++) {
    const end = bytes.indexOf(10, from);
    if (end < 0) return undefined;
    if (end - from > MAX_LINE_BYTES) throw notARecord(path, number);
    yield parseLine(decoder.decode(bytes.subarray(from, end)), path, number);
    from = end + 1;
  }
}

function parseLine(text: string, path: string, number: number): RecordLine {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    throw notARecord(path, number);
  }
  if (typeof line !== 'object' || line === null || !('kind' in line)) throw notARecord(path, number);
  return line as RecordLine;
}

function notARecord(path: string, number: number): RecordError {
  return new RecordError(
    `${path}: line ${number} is not a line of a tap's record; name the folder of a tap.`,
  );
}

function readFile(path: string): Uint8Array {
  try {
    return readFileBytes(path);
  } catch (error) {
    throw new RecordError(`${(error as Error).message}; name the folder that a tap has written.`);
  }
}
