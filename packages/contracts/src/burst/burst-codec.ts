import type { ExchangeRequest, ExchangeResponse, Output } from '../gen/vhostlab/backend/v1/burst_pb.ts';
import type { DropCount } from '../gen/vhostlab/common/v1/common_pb.ts';

/*
 * The two messages of BurstService by hand: bursts are what a burst plugin spends its time on, and a reader and writer
 * that know their fields are several times as fast as those that read descriptors. What they read and write is what
 * protobuf says (a test compares the two); fields that they do not know are skipped.
 */

/** What a request is made of. */
export interface BurstRequest {
  readonly id: string;
  readonly sequence: bigint;
  readonly nowPs: bigint;
  readonly port: number;
  readonly frames: readonly Uint8Array[];
}

/** What an answer is made of. */
export interface BurstResponse {
  readonly sequence: bigint;
  readonly outputs: readonly {
    readonly port: number;
    readonly source: number;
    readonly delayPs: bigint;
    readonly frame: Uint8Array;
  }[];
  readonly drops: readonly { readonly reason: string; readonly count: bigint }[];
  readonly charges: readonly { readonly op: string; readonly count: number; readonly bytes: bigint }[];
}

const MAX_UINT32 = 0xffff_ffff;
const TWO_TO_32 = 4294967296;
const EMPTY = new Uint8Array(0);
const text = new TextEncoder();
const reader = new TextDecoder('utf-8', { fatal: true });

/** Writes fields one after the other into a buffer that is large enough. */
class Writer {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.bytes[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  uint64(value: bigint): void {
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.varint(Number(value));
      return;
    }
    let rest = value;
    while (rest > 127n) {
      this.bytes[this.at++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
  }

  block(tag: number, bytes: Uint8Array): void {
    this.bytes[this.at++] = tag;
    this.varint(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}

function uint64Size(value: bigint): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? varintSize(Number(value))
    : value >> 56n === 0n
      ? 8
      : value >> 63n === 0n
        ? 9
        : 10;
}

function blockSize(length: number): number {
  return 1 + varintSize(length) + length;
}

const ids = new Map<string, Uint8Array>();
const MAX_KNOWN = 256;

/** The bytes of a short text that comes again and again: an instance's id, a reason, an operation. */
function utf8(value: string): Uint8Array {
  let bytes = ids.get(value);
  if (bytes === undefined) {
    bytes = text.encode(value);
    if (ids.size < MAX_KNOWN && bytes.length < 128) ids.set(value, bytes);
  }
  return bytes;
}

/** Encodes an ExchangeRequest. */
export function encodeBurstRequest({ id, sequence, nowPs, port, frames }: BurstRequest): Uint8Array {
  const name = utf8(id);
  let size = 0;
  if (name.length > 0) size += blockSize(name.length);
  if (sequence !== 0n) size += 1 + uint64Size(sequence);
  if (nowPs !== 0n) size += 1 + uint64Size(nowPs);
  if (port !== 0) size += 1 + varintSize(port);
  for (const frame of frames) size += blockSize(frame.length);
  const out = new Writer(size);
  if (name.length > 0) out.block(0x0a, name);
  if (sequence !== 0n) {
    out.bytes[out.at++] = 0x10;
    out.uint64(sequence);
  }
  if (nowPs !== 0n) {
    out.bytes[out.at++] = 0x18;
    out.uint64(nowPs);
  }
  if (port !== 0) {
    out.bytes[out.at++] = 0x20;
    out.varint(port);
  }
  for (const frame of frames) out.block(0x2a, frame);
  return out.bytes;
}

/** Encodes an ExchangeResponse. */
export function encodeBurstResponse({ sequence, outputs, drops, charges }: BurstResponse): Uint8Array {
  const outputSizes = new Array<number>(outputs.length);
  let size = sequence === 0n ? 0 : 1 + uint64Size(sequence);
  for (let i = 0; i < outputs.length; i++) {
    const { port, source, delayPs, frame } = outputs[i]!;
    let inner = 0;
    if (port !== 0) inner += 1 + varintSize(port);
    if (source !== 0) inner += 1 + varintSize(source);
    if (delayPs !== 0n) inner += 1 + uint64Size(delayPs);
    if (frame.length > 0) inner += blockSize(frame.length);
    outputSizes[i] = inner;
    size += blockSize(inner);
  }
  const dropSizes = drops.map(({ reason, count }) => {
    const length = utf8(reason).length;
    return (length === 0 ? 0 : blockSize(length)) + (count === 0n ? 0 : 1 + uint64Size(count));
  });
  const chargeSizes = charges.map(({ op, count, bytes }) => {
    const length = utf8(op).length;
    return (
      (length === 0 ? 0 : blockSize(length)) +
      (count === 0 ? 0 : 1 + varintSize(count)) +
      (bytes === 0n ? 0 : 1 + uint64Size(bytes))
    );
  });
  for (const inner of dropSizes) size += blockSize(inner);
  for (const inner of chargeSizes) size += blockSize(inner);
  const out = new Writer(size);
  if (sequence !== 0n) {
    out.bytes[out.at++] = 0x08;
    out.uint64(sequence);
  }
  for (let i = 0; i < outputs.length; i++) {
    const { port, source, delayPs, frame } = outputs[i]!;
    out.bytes[out.at++] = 0x12;
    out.varint(outputSizes[i]!);
    if (port !== 0) {
      out.bytes[out.at++] = 0x08;
      out.varint(port);
    }
    if (source !== 0) {
      out.bytes[out.at++] = 0x10;
      out.varint(source);
    }
    if (delayPs !== 0n) {
      out.bytes[out.at++] = 0x18;
      out.uint64(delayPs);
    }
    if (frame.length > 0) out.block(0x22, frame);
  }
  drops.forEach(({ reason, count }, i) => {
    out.bytes[out.at++] = 0x1a;
    out.varint(dropSizes[i]!);
    if (reason !== '') out.block(0x0a, utf8(reason));
    if (count !== 0n) {
      out.bytes[out.at++] = 0x10;
      out.uint64(count);
    }
  });
  charges.forEach(({ op, count, bytes }, i) => {
    out.bytes[out.at++] = 0x22;
    out.varint(chargeSizes[i]!);
    if (op !== '') out.block(0x0a, utf8(op));
    if (count !== 0) {
      out.bytes[out.at++] = 0x10;
      out.varint(count);
    }
    if (bytes !== 0n) {
      out.bytes[out.at++] = 0x18;
      out.uint64(bytes);
    }
  });
  return out.bytes;
}

/** Reads fields one after the other; throws an Error when the bytes end too early or are no message. */
class Reader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  /** The low 53 bits matter to who asks; more than ten bytes are no varint. */
  uint64(): bigint {
    const start = this.at;
    let low = 0;
    let factor = 1;
    for (let i = 0; i < 7; i++) {
      const byte = this.byte();
      low += (byte & 127) * factor;
      if (byte < 128) return low === 0 ? 0n : BigInt(low);
      factor *= 128;
    }
    this.at = start;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new Error('invalid varint');
  }

  /** A uint32: of a longer value its low 32 bits, as protobuf has it. */
  uint32(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      if (factor <= TWO_TO_32) value += (byte & 127) * factor;
      factor *= 128;
      if (byte < 128) return value <= MAX_UINT32 ? value : value % TWO_TO_32;
    }
    throw new Error('invalid varint');
  }

  byte(): number {
    if (this.at >= this.end) throw new Error('premature EOF');
    return this.bytes[this.at++]!;
  }

  /** Length of a block that lies inside; the reader stands at its first byte. */
  length(): number {
    const length = this.uint32();
    if (length > this.end - this.at) throw new Error('premature EOF');
    return length;
  }

  block(): Uint8Array {
    const length = this.length();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  string(): string {
    return reader.decode(this.block());
  }

  /** Steps over a field that nobody here knows. */
  skip(tag: number): void {
    const type = tag & 7;
    if (tag >>> 3 === 0) throw new Error(`illegal tag: field no 0 wire type ${type}`);
    if (type === 0) this.uint64();
    else if (type === 1) this.step(8);
    else if (type === 2) this.block();
    else if (type === 5) this.step(4);
    else throw new Error(`cannot skip wire type ${type}`);
  }

  step(count: number): void {
    if (count > this.end - this.at) throw new Error('premature EOF');
    this.at += count;
  }
}

/** Decodes an ExchangeRequest; its frames are views of `bytes`. Throws an Error when it is none. */
export function decodeBurstRequest(bytes: Uint8Array): ExchangeRequest {
  const from = new Reader(bytes);
  const frames: Uint8Array[] = [];
  let id = '';
  let sequence = 0n;
  let nowPs = 0n;
  let port = 0;
  while (from.at < from.end) {
    const tag = from.uint32();
    if (tag === 0x2a) frames.push(from.block());
    else if (tag === 0x0a) id = from.string();
    else if (tag === 0x10) sequence = from.uint64();
    else if (tag === 0x18) nowPs = from.uint64();
    else if (tag === 0x20) port = from.uint32();
    else from.skip(tag);
  }
  return { $typeName: 'vhostlab.backend.v1.ExchangeRequest', id, sequence, nowPs, port, frames };
}

/** Decodes an ExchangeResponse; the frames of its outputs are views of `bytes`. Throws an Error when it is none. */
export function decodeBurstResponse(bytes: Uint8Array): ExchangeResponse {
  const from = new Reader(bytes);
  const outputs: Output[] = [];
  const drops: DropCount[] = [];
  const charges: ExchangeResponse['charges'] = [];
  let sequence = 0n;
  while (from.at < from.end) {
    const tag = from.uint32();
    if (tag === 0x12) outputs.push(within(from, readOutput));
    else if (tag === 0x08) sequence = from.uint64();
    else if (tag === 0x1a) drops.push(within(from, readDrop));
    else if (tag === 0x22) charges.push(within(from, readCharge));
    else from.skip(tag);
  }
  return { $typeName: 'vhostlab.backend.v1.ExchangeResponse', sequence, outputs, drops, charges };
}

function within<T>(from: Reader, read: (from: Reader) => T): T {
  const length = from.length();
  const outer = from.end;
  from.end = from.at + length;
  const value = read(from);
  from.end = outer;
  return value;
}

function readOutput(from: Reader): Output {
  let port = 0;
  let source = 0;
  let delayPs = 0n;
  let frame = EMPTY;
  while (from.at < from.end) {
    const tag = from.uint32();
    if (tag === 0x08) port = from.uint32();
    else if (tag === 0x10) source = from.uint32();
    else if (tag === 0x18) delayPs = from.uint64();
    else if (tag === 0x22) frame = from.block() as typeof EMPTY;
    else from.skip(tag);
  }
  return { $typeName: 'vhostlab.backend.v1.Output', port, source, delayPs, frame };
}

function readDrop(from: Reader): DropCount {
  let reason = '';
  let count = 0n;
  while (from.at < from.end) {
    const tag = from.uint32();
    if (tag === 0x0a) reason = from.string();
    else if (tag === 0x10) count = from.uint64();
    else from.skip(tag);
  }
  return { $typeName: 'vhostlab.common.v1.DropCount', reason, count };
}

function readCharge(from: Reader): ExchangeResponse['charges'][number] {
  let op = '';
  let count = 0;
  let bytes = 0n;
  while (from.at < from.end) {
    const tag = from.uint32();
    if (tag === 0x0a) op = from.string();
    else if (tag === 0x10) count = from.uint32();
    else if (tag === 0x18) bytes = from.uint64();
    else from.skip(tag);
  }
  return { $typeName: 'vhostlab.backend.v1.Charge', op, count, bytes };
}
