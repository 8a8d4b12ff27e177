import { fromBinary, fromJson, toBinary, toJson } from '@vhostlab/contracts';
import type { WireEvent, WireMethod } from './wire-file.ts';

type MessageSchema = WireMethod['input'] | WireMethod['output'];

/** A message of an event: as JSON where that says all of it, as bytes otherwise. */
export function wireMessage(schema: MessageSchema, bytes: Uint8Array): Pick<WireEvent, 'message' | 'bytes'> {
  try {
    const message = toJson(schema, fromBinary(schema, bytes));
    const again = toBinary(schema, fromJson(schema, message));
    if (Buffer.compare(again, bytes) === 0) return { message };
  } catch {
    // bytes that are no message are recorded as they are
  }
  return { bytes: Buffer.from(bytes).toString('base64') };
}

/** The bytes of an event's message. Throws an Error when its JSON is no such message. */
export function wireBytes(
  schema: MessageSchema,
  { message, bytes }: Pick<WireEvent, 'message' | 'bytes'>,
): Uint8Array {
  if (bytes !== undefined) return new Uint8Array(Buffer.from(bytes, 'base64'));
  return toBinary(schema, fromJson(schema, message as never));
}
