import type { LogRecord } from '../read-log.ts';

/**
 * What an engine notes about a channel end in a walk: a note whose stage begins with `tap.`, whose core is the
 * sender and whose text is the channel's id, followed by bytes or a value in hexadecimal.
 */
export type Tap =
  /** `tap.bytes`: range that the next published word covers. `bytes` may be shorter than `length`: the log keeps a part. */
  | { kind: 'bytes'; channel: string; offset: number; length: number; bytes: Uint8Array }
  /** `tap.word16`, `tap.word32`: a published word. */
  | { kind: 'word'; channel: string; offset: number; bytes: Uint8Array }
  /** `tap.notify`: kick, doorbell, call or MSI-X message. */
  | { kind: 'notify'; channel: string; vector: number }
  /** `tap.write`: a register write of the driver; `tap.read`: the device's answer to a register read. */
  | { kind: 'write' | 'read'; channel: string; register: number; width: number; value: number }
  /** `tap.request`, `tap.reply`, `tap.send`: a message of a contract; `number` is its method, in a reply the status. */
  | { kind: 'request' | 'reply' | 'send'; channel: string; number: number; bytes: Uint8Array };

/** The tap of a record, undefined when it is none or its stage is unknown. */
export function tapOf(record: LogRecord): Tap | undefined {
  if (record.kind !== 'note' || !record.stage.startsWith('tap.')) return undefined;
  const { address, length } = record;
  const space = record.text.indexOf(' ');
  const channel = space < 0 ? record.text : record.text.slice(0, space);
  const rest = space < 0 ? '' : record.text.slice(space + 1);
  const kind = record.stage.slice('tap.'.length);
  switch (kind) {
    case 'bytes':
      return { kind, channel, offset: address, length, bytes: bytesOf(rest) };
    case 'word16':
      return { kind: 'word', channel, offset: address, bytes: little(length, 2) };
    case 'word32':
      return { kind: 'word', channel, offset: address, bytes: little(length, 4) };
    case 'notify':
      return { kind, channel, vector: address };
    case 'write':
    case 'read':
      return { kind, channel, register: address, width: length, value: Number.parseInt(rest, 16) };
    case 'request':
    case 'reply':
    case 'send':
      return { kind, channel, number: address, bytes: bytesOf(rest) };
    default:
      return undefined;
  }
}

function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length >>> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

function little(value: number, width: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let i = 0; i < width; i++) bytes[i] = (value >>> (8 * i)) & 0xff;
  return bytes;
}
