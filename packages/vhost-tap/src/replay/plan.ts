import { readFileBytes } from '@vhostlab/host';
import { decodeMessage, HEADER_BYTES, type Message } from '@vhostlab/vhost-user';
import { FlowChecker } from '../flow/flow-checker.ts';
import { EVENT_MAGIC, EVENT_VERSION } from '../journal/event-file.ts';
import type { MemoryNote, MessageLine } from '../record/record-lines.ts';
import { type BodyLine, RecordError, readRecord, type TapRecord } from '../record/record-reader.ts';
import { checkLine, REPLAYED_KINDS } from './line-check.ts';
import { inOrderOfEffect } from './step-order.ts';
import type { MessageStep, RingLine, Step } from './steps.ts';

/** One connection of the recorded front end. */
export interface SessionPlan {
  readonly number: number;
  readonly steps: readonly Step[];
  /** What the front end answered to requests of the back end, in order. */
  readonly channelAnswers: readonly { readonly request: number; readonly bytes: Uint8Array }[];
}

/** A record, made ready to be played. */
export interface ReplayPlan {
  readonly sessions: readonly SessionPlan[];
  /** Guest memory that a line points at. */
  memory(note: MemoryNote): Uint8Array;
  /** What of the record cannot be played, for people. */
  readonly notes: readonly string[];
}

/** Messages that need what no record has: the state of a device, and page faults of the guest. */
const LEFT_OUT = new Set([
  'SET_DEVICE_STATE_FD',
  'CHECK_DEVICE_STATE',
  'POSTCOPY_ADVISE',
  'POSTCOPY_LISTEN',
  'POSTCOPY_END',
]);

/** Reads the record of a folder and puts it into the order of its effects. Throws a RecordError. */
export function planReplay(folder: string): ReplayPlan {
  const record = readRecord(folder, REPLAYED_KINDS);
  checkEvents(folder);
  for (const line of record.lines) check(line, record, folder);
  const notes = new Set<string>();
  const numbers = [...new Set(record.lines.map(({ session }) => session))].sort((a, b) => a - b);
  const sessions = numbers.map((number) =>
    planSession(
      number,
      record.lines.filter(({ session }) => session === number),
      notes,
    ),
  );
  const played = sessions.filter(({ steps }) => steps.some(({ kind }) => kind === 'message'));
  if (played.length === 0) {
    throw new RecordError(
      `${folder}/messages.jsonl has no message of a front end; there is nothing to play.`,
    );
  }
  noteGaps(record, notes);
  return {
    sessions: played,
    memory: record.memory,
    notes: [...notes],
  };
}

/** The binary log is not played, but one of another version tells that the whole folder is. */
function checkEvents(folder: string): void {
  const path = `${folder}/events.bin`;
  let bytes: Uint8Array;
  try {
    bytes = readFileBytes(path);
  } catch {
    return;
  }
  if (bytes.length === 0) return;
  const magic = new TextDecoder().decode(bytes.subarray(0, EVENT_MAGIC.length));
  const version = bytes.length < 12 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  if (magic === EVENT_MAGIC && version === EVENT_VERSION) return;
  throw new RecordError(
    `${path} is not of version ${EVENT_VERSION} of a tap's events; record again with this version.`,
  );
}

function check(line: BodyLine, record: TapRecord, folder: string): void {
  checkLine(line, folder);
  if (line.kind === 'ring-start' || line.kind === 'offer') {
    for (const note of line.memory) record.memory(note);
  }
}

function noteGaps({ lines }: TapRecord, notes: Set<string>): void {
  let missed = 0;
  let starts = 0;
  for (const line of lines) {
    if (line.kind === 'offer' && line.queue % 2 === 1) missed += line.missed;
    if (line.kind === 'ring-start') starts++;
  }
  if (starts === 0) notes.add('no ring was started in the record: its messages are played, and nothing else');
  if (missed > 0) {
    notes.add(
      `${missed} transmit buffers (or descriptors of them) went by unseen when it was recorded, and are not played`,
    );
  }
}

function planSession(number: number, lines: readonly BodyLine[], notes: Set<string>): SessionPlan {
  const flow = new FlowChecker();
  const asked = new Map<Message, MessageStep>();
  const steps: Step[] = [];
  const channelAnswers: { request: number; bytes: Uint8Array }[] = [];
  for (const line of lines) {
    if (line.kind !== 'message') {
      if (isRingLine(line)) steps.push(line);
      continue;
    }
    const bytes = fromHex(line.bytes);
    const step = stepOf(line, bytes);
    if (line.channel === 'backend') {
      if (line.from === 'front end' && bytes.length >= HEADER_BYTES) {
        channelAnswers.push({ request: step.message.header.request, bytes });
      }
    } else if (line.from === 'front end') {
      if (LEFT_OUT.has(step.message.name)) {
        notes.add(`${step.message.name} is left out: what it moves is not in a record`);
        continue;
      }
      flow.frontRequest(step.message);
      asked.set(step.message, step);
      steps.push(step);
    } else {
      const { request } = flow.backAnswer(step.message);
      const question = request === null ? undefined : asked.get(request);
      if (question !== undefined) question.answer = { message: step.message, fds: line.fds };
    }
  }
  return { number, steps: inOrderOfEffect(steps), channelAnswers };
}

function stepOf(line: MessageLine, bytes: Uint8Array): MessageStep {
  const role = line.from === (line.channel === 'main' ? 'front end' : 'back end') ? 'request' : 'reply';
  const message = decodeMessage(bytes, line.channel, role, line.fds.length);
  return { kind: 'message', t: line.t, message, bytes, fds: line.fds, answer: null };
}

function isRingLine(line: BodyLine): line is RingLine {
  return ['ring-start', 'ring-stop', 'offer', 'words', 'progress', 'kick'].includes(line.kind);
}

function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
