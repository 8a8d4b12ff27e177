import type { Recorder } from './api.ts';

/** Bytes of one covered range or message that a note holds; the rest is left out, the length is not. */
const NOTE_BYTES = 4096;

/**
 * Notes what one end of a channel sends (docs/event-log.md, stages `tap.*`), for walks: published words and
 * the bytes that they cover, notifications, register accesses, requests. A note's text is the channel's name,
 * followed by bytes or a value in hexadecimal where there are some.
 */
export class ChannelTap {
  readonly #recorder: Recorder;
  readonly #channel: string;
  readonly #stages: ReadonlyMap<string, number>;

  constructor(recorder: Recorder, channel: string, stage: (name: string) => number) {
    this.#recorder = recorder;
    this.#channel = channel;
    this.#stages = new Map(TAP_STAGES.map((name) => [name, stage(name)]));
  }

  /** `tap.bytes`: a range that the next published word covers; window offset and length. */
  bytes(memory: Uint8Array, offset: number, windowOffset: number, length: number): void {
    this.#note('tap.bytes', hex(memory.subarray(offset, offset + length)), windowOffset, length);
  }

  /** `tap.word16`, `tap.word32`: a published word; window offset and value. */
  word(bits: 16 | 32, windowOffset: number, value: number): void {
    this.#note(`tap.word${bits}`, '', windowOffset, value);
  }

  /** `tap.notify`: a kick, doorbell, call or message; vector. */
  notify(vector: number): void {
    this.#note('tap.notify', '', vector, 0);
  }

  /** `tap.write`, `tap.read`: a register write by the driver, an answer to its read; offset, width and value. */
  register(access: 'write' | 'read', offset: number, width: number, value: number): void {
    this.#note(`tap.${access}`, value.toString(16), offset, width);
  }

  /** `tap.request`, `tap.reply`, `tap.send`: a message of a contract; method or status, and its bytes. */
  message(kind: 'request' | 'reply' | 'send', number: number, body: Uint8Array): void {
    this.#note(`tap.${kind}`, hex(body), number, body.length);
  }

  #note(stage: string, rest: string, a: number, b: number): void {
    const text = rest === '' ? this.#channel : `${this.#channel} ${rest}`;
    this.#recorder.note(this.#stages.get(stage) as number, text, a, b);
  }
}

const TAP_STAGES = [
  'tap.bytes',
  'tap.word16',
  'tap.word32',
  'tap.notify',
  'tap.write',
  'tap.read',
  'tap.request',
  'tap.reply',
  'tap.send',
];

function hex(bytes: Uint8Array): string {
  let text = '';
  const end = Math.min(bytes.length, NOTE_BYTES);
  for (let i = 0; i < end; i++) text += bytes[i].toString(16).padStart(2, '0');
  return text;
}
