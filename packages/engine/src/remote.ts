import type { FrameMeta, Ps } from './api.ts';
import { ByteReader, ByteWriter } from './byte-writer.ts';
import { emptyFrameMeta, type FrameQueue } from './link-end.ts';
import type { Mailbox } from './mailbox.ts';

/** What was taken out of one direction of a channel. */
export interface EncodedBatch {
  bytes: Uint8Array;
  messages: number;
  firstPs: Ps;
}

/** Empties an outbox into bytes; undefined when it is empty. Layout per message: f64 moment, u8 kind, f64 a, f64 b, u32 length, payload. */
export function encodeMessages(box: Mailbox): EncodedBatch | undefined {
  const messages = box.tail - box.head;
  if (messages === 0) return undefined;
  const firstPs = box.firstPs();
  const writer = new ByteWriter();
  while (box.head !== box.tail) {
    const i = box.head & box.mask;
    writer.f64(box.atPs[i]);
    writer.u8(box.kind[i]);
    writer.f64(box.a[i]);
    writer.f64(box.b[i]);
    const payload = box.payload[i];
    box.payload[i] = undefined;
    writer.u32(payload === undefined ? 0xffffffff : payload.length);
    if (payload !== undefined) writer.bytes(payload, 0, payload.length);
    box.head++;
  }
  return { bytes: writer.take(), messages, firstPs };
}

/** Appends what `encodeMessages` took to the reader's mailbox. */
export function decodeMessages(box: Mailbox, bytes: Uint8Array): void {
  const reader = new ByteReader(bytes);
  while (reader.remaining > 0) {
    const atPs = reader.f64();
    const kind = reader.u8();
    const a = reader.f64();
    const b = reader.f64();
    const length = reader.u32();
    box.pushAt(atPs, kind, a, b, length === 0xffffffff ? undefined : reader.take(length).slice());
  }
}

const meta: FrameMeta = emptyFrameMeta();

/**
 * Empties the outbox of a link: frames that go out, and credits for frames that came in. Layout: u32 frames,
 * each f64 moment, f64 birth, i32 packet, seven i32 fields, u32 length, bytes; then u32 credits, each f64
 * moment, u32 places, u32 bytes.
 */
export function encodeFrames(out: FrameQueue, incoming: FrameQueue): EncodedBatch | undefined {
  const frames = out.tail - out.head;
  const credits = incoming.creditPs.length;
  if (frames === 0 && credits === 0) return undefined;
  let firstPs = Number.POSITIVE_INFINITY;
  const writer = new ByteWriter();
  writer.u32(frames);
  while (out.head !== out.tail) {
    const i = out.head & out.mask;
    if (out.atPs[i] < firstPs) firstPs = out.atPs[i];
    out.readMeta(i, meta);
    writer.f64(out.atPs[i]);
    writer.f64(meta.bornPs);
    writer.i32(meta.packet);
    writer.i32(meta.flags | (meta.gsoType << 8));
    writer.i32(meta.hdrLen);
    writer.i32(meta.gsoSize);
    writer.i32(meta.csumStart);
    writer.i32(meta.csumOffset);
    writer.i32(meta.aux);
    writer.i32(meta.wireLength);
    writer.u32(out.length[i]);
    writer.bytes(out.arena.u8, out.offset[i], out.length[i]);
    out.head++;
  }
  writer.u32(credits);
  for (let n = 0; n < credits; n++) {
    if (incoming.creditPs[n] < firstPs) firstPs = incoming.creditPs[n];
    writer.f64(incoming.creditPs[n]);
    writer.u32(incoming.creditPlaces[n]);
    writer.u32(incoming.creditBytes[n]);
  }
  incoming.creditPs.length = 0;
  incoming.creditPlaces.length = 0;
  incoming.creditBytes.length = 0;
  return { bytes: writer.take(), messages: frames + credits, firstPs };
}

/** Appends what `encodeFrames` took: frames to the reader's queue, credits to the queue that goes back. */
export function decodeFrames(incoming: FrameQueue, out: FrameQueue, bytes: Uint8Array): void {
  const reader = new ByteReader(bytes);
  for (let n = reader.u32(); n > 0; n--) {
    const atPs = reader.f64();
    meta.bornPs = reader.f64();
    meta.packet = reader.i32();
    const packed = reader.i32();
    meta.flags = packed & 0xff;
    meta.gsoType = packed >>> 8;
    meta.hdrLen = reader.i32();
    meta.gsoSize = reader.i32();
    meta.csumStart = reader.i32();
    meta.csumOffset = reader.i32();
    meta.aux = reader.i32();
    meta.wireLength = reader.i32();
    const frame = reader.take(reader.u32());
    incoming.pushAt(atPs, frame, 0, frame.length, meta);
  }
  for (let n = reader.u32(); n > 0; n--) out.credit(reader.f64(), reader.u32(), reader.u32());
}
