import type { BodyLine } from '../record/record-reader.ts';
import { RecordError } from '../record/record-reader.ts';

const HEX = /^0x[0-9a-f]{1,16}$/;
const MESSAGE_HEX = /^([0-9a-f]{2})*$/;
/** More descriptors than any ring has. */
const MAX_LIST = 65_536;

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const number: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const word: Check = (value) => count(value) && (value as number) < 2 ** 32;
const integer: Check = (value) => Number.isSafeInteger(value);
const hex: Check = (value) => typeof value === 'string' && HEX.test(value);
const among =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const list =
  (shape: Shape): Check =>
  (value) =>
    Array.isArray(value) && value.length <= MAX_LIST && value.every((each) => fits(each, shape));
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

const DESCRIPTOR: Shape = { slot: word, address: hex, length: word, flags: word, last: word };
const MEMORY: Shape = { gpa: hex, at: count, bytes: count };
const TIMED: Shape = { session: count, t: number };

/** What a replay reads of each kind of line. */
const SHAPES: Readonly<Partial<Record<BodyLine['kind'], Shape>>> = {
  message: {
    ...TIMED,
    channel: among('main', 'backend'),
    from: among('front end', 'back end'),
    bytes: (value) => typeof value === 'string' && MESSAGE_HEX.test(value),
    fds: list({ kind: (value) => typeof value === 'string' }),
  },
  'ring-start': {
    ...TIMED,
    queue: word,
    format: among('split', 'packed'),
    size: word,
    features: hex,
    base: orNull(word),
    desc: hex,
    driver: hex,
    device: hex,
    memory: list(MEMORY),
  },
  'ring-stop': { ...TIMED, queue: word },
  offer: {
    ...TIMED,
    queue: word,
    place: word,
    missed: count,
    descriptors: list(DESCRIPTOR),
    memory: list(MEMORY),
    writable: count,
  },
  words: { ...TIMED, queue: word, flags: integer, event: integer },
  progress: { ...TIMED, queue: word, used: word, outstanding: count },
  kick: { ...TIMED, queue: word, count },
};

/** Kinds of lines that a replay uses. */
export const REPLAYED_KINDS: ReadonlySet<BodyLine['kind']> = new Set(
  Object.keys(SHAPES) as BodyLine['kind'][],
);

/** Throws a RecordError when a line is not as a tap writes it: the record is of another version, or was changed. */
export function checkLine(line: BodyLine, folder: string): void {
  const shape = SHAPES[line.kind];
  if (shape === undefined || fits(line, shape)) return;
  const bad = Object.keys(shape).find(
    (key) => !shape[key]!((line as unknown as Record<string, unknown>)[key]),
  );
  const text = `${folder}/messages.jsonl: a line of kind ${line.kind} has a wrong "${bad}"`;
  throw new RecordError(`${text}; replay a record of this version, as a tap has written it.`);
}

function fits(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(shape).every(([key, check]) => check((value as Record<string, unknown>)[key]));
}
