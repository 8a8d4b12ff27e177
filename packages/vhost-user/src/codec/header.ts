import { HEADER, HEADER_BYTES } from './layouts.ts';

/** Bits of `flags` (vhost-user, "Header"). */
export const FLAG_VERSION_MASK = 3;
export const FLAG_VERSION = 1;
export const FLAG_REPLY = 4;
export const FLAG_NEED_REPLY = 8;

/** The 12 bytes before every payload. */
export interface Header {
  readonly request: number;
  readonly flags: number;
  /** Bytes of the payload. */
  readonly size: number;
}

/** Reads the header at the start of `bytes`; there must be 12. */
export function decodeHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  return {
    request: view.getUint32(HEADER.request, true),
    flags: view.getUint32(HEADER.flags, true),
    size: view.getUint32(HEADER.size, true),
  };
}

/** Header and payload in one piece: peers read them with one call each and take a short read for an error. */
export function frameBytes(header: Header, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.request, header.request, true);
  view.setUint32(HEADER.flags, header.flags, true);
  view.setUint32(HEADER.size, header.size, true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}
