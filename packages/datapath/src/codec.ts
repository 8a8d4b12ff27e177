import { programFault } from './actions.ts';
import { KEY_WORDS, W_IN_PORT } from './key.ts';

/**
 * The datapath contract: what travels on the control channel between a datapath and the switch service, as
 * Netlink does between the kernel and ovs-vswitchd. Bodies are little-endian 32-bit words; README.md has the
 * layouts. Encoders allocate: this is the slow path.
 */

/** Datapath → switch, request: a packet missed. Answer: `UpcallReply`. */
export const METHOD_UPCALL = 1;
/** Switch → datapath: install or change a flow. */
export const METHOD_FLOW_PUT = 2;
/** Switch → datapath: delete the flow of a key and mask. */
export const METHOD_FLOW_DELETE = 3;
/** Switch → datapath: delete all flows. */
export const METHOD_FLOW_FLUSH = 4;
/** Switch → datapath, request: dump flows. Answer: `FlowDump`. */
export const METHOD_FLOW_DUMP = 5;

/** Status of an answer: done. */
export const STATUS_OK = 0;
/** Status of an answer: the body is not what the method asks for. */
export const STATUS_INVALID = 1;
/** Status of an answer: no such method. */
export const STATUS_UNKNOWN_METHOD = 2;
/** Status of an answer: no such flow. */
export const STATUS_NOT_FOUND = 3;
/** Status of an answer: the flow table is full. */
export const STATUS_FULL = 4;

/** A miss. */
export interface Upcall {
  readonly key: Uint32Array;
  /** Hash the packet was looked up with, so that the flow can enter the caches for it. */
  readonly hash: number;
  /** Bytes of the frame. */
  readonly frameBytes: number;
  /** The frame itself, or none of it: the datapath keeps it and executes the answer. */
  readonly frame: Uint8Array;
}

/** A megaflow: `key` under `mask` is given `program`. */
export interface FlowPut {
  readonly key: Uint32Array;
  readonly mask: Uint32Array;
  readonly program: Uint32Array;
}

/** What to do with the packet of an upcall, and the flow to install, if any. */
export interface UpcallReply {
  readonly program: Uint32Array;
  readonly put: FlowPut | undefined;
}

/** One flow of a dump. */
export interface DumpedFlow extends FlowPut {
  readonly packets: number;
  readonly bytes: number;
  /** -1: never. */
  readonly lastUsedPs: number;
}

/** hash, frame length, key, frame bytes. */
export function encodeUpcall(upcall: Upcall): Uint8Array {
  const body = new Writer((2 + KEY_WORDS) * 4 + upcall.frame.length);
  body.word(upcall.hash);
  body.word(upcall.frameBytes);
  body.words(upcall.key);
  body.bytes(upcall.frame);
  return body.done();
}

/** Undefined when the body is malformed. */
export function decodeUpcall(bytes: Uint8Array): Upcall | undefined {
  const body = new Reader(bytes);
  const hash = body.word();
  const frameBytes = body.word();
  const key = body.words(KEY_WORDS);
  const frame = body.rest();
  if (body.isShort || key[W_IN_PORT] > 0xffff) return undefined;
  return { hash, frameBytes, key, frame };
}

/** Length of the program in words, key, mask, program. */
export function encodeFlowPut(put: FlowPut): Uint8Array {
  const body = new Writer((1 + 2 * KEY_WORDS + put.program.length) * 4);
  writePut(body, put);
  return body.done();
}

/** Undefined when the body is malformed: cut short, too long, or a program that cannot be executed. */
export function decodeFlowPut(bytes: Uint8Array): FlowPut | undefined {
  const body = new Reader(bytes);
  const put = readPut(body);
  return body.isWhole ? put : undefined;
}

/** Key, mask. */
export function encodeFlowDelete(key: Uint32Array, mask: Uint32Array): Uint8Array {
  const body = new Writer(2 * KEY_WORDS * 4);
  body.words(key);
  body.words(mask);
  return body.done();
}

/** Undefined when the body is malformed. */
export function decodeFlowDelete(bytes: Uint8Array): { key: Uint32Array; mask: Uint32Array } | undefined {
  const body = new Reader(bytes);
  const key = body.words(KEY_WORDS);
  const mask = body.words(KEY_WORDS);
  return body.isWhole ? { key, mask } : undefined;
}

/** Length of the program in words, program, 1 and a flow put or 0. */
export function encodeUpcallReply(reply: UpcallReply): Uint8Array {
  const putWords = reply.put === undefined ? 0 : 1 + 2 * KEY_WORDS + reply.put.program.length;
  const body = new Writer((2 + reply.program.length + putWords) * 4);
  body.word(reply.program.length);
  body.words(reply.program);
  body.word(reply.put === undefined ? 0 : 1);
  if (reply.put !== undefined) writePut(body, reply.put);
  return body.done();
}

/** Undefined when the body is malformed. */
export function decodeUpcallReply(bytes: Uint8Array): UpcallReply | undefined {
  const body = new Reader(bytes);
  const program = readProgram(body, body.word());
  const hasPut = body.word();
  if (program === undefined || hasPut > 1) return undefined;
  const put = hasPut === 1 ? readPut(body) : undefined;
  if (hasPut === 1 && put === undefined) return undefined;
  return body.isWhole ? { program, put } : undefined;
}

/** Number of flows; for each: packets, bytes, last used (64-bit floats), then as a flow put. */
export function encodeFlowDump(flows: readonly DumpedFlow[]): Uint8Array {
  const words = flows.reduce((sum, flow) => sum + 6 + 1 + 2 * KEY_WORDS + flow.program.length, 1);
  const body = new Writer(words * 4);
  body.word(flows.length);
  for (const flow of flows) {
    body.double(flow.packets);
    body.double(flow.bytes);
    body.double(flow.lastUsedPs);
    writePut(body, flow);
  }
  return body.done();
}

/** Undefined when the body is malformed. */
export function decodeFlowDump(bytes: Uint8Array): DumpedFlow[] | undefined {
  const body = new Reader(bytes);
  const count = body.word();
  const flows: DumpedFlow[] = [];
  for (let i = 0; i < count; i++) {
    const packets = body.double();
    const total = body.double();
    const lastUsedPs = body.double();
    const put = readPut(body);
    if (put === undefined) return undefined;
    flows.push({ ...put, packets, bytes: total, lastUsedPs });
  }
  return body.isWhole ? flows : undefined;
}

function writePut(body: Writer, put: FlowPut): void {
  body.word(put.program.length);
  body.words(put.key);
  body.words(put.mask);
  body.words(put.program);
}

function readPut(body: Reader): FlowPut | undefined {
  const programWords = body.word();
  const key = body.words(KEY_WORDS);
  const mask = body.words(KEY_WORDS);
  const program = readProgram(body, programWords);
  if (program === undefined || key[W_IN_PORT] > 0xffff) return undefined;
  return { key, mask, program };
}

function readProgram(body: Reader, words: number): Uint32Array | undefined {
  const program = body.words(words);
  return body.isShort || programFault(program) !== '' ? undefined : program;
}

class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  word(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  words(values: Uint32Array): void {
    for (let i = 0; i < values.length; i++) this.word(values[i]);
  }

  double(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(values: Uint8Array): void {
    this.#bytes.set(values, this.#at);
    this.#at += values.length;
  }

  done(): Uint8Array {
    return this.#bytes;
  }
}

/** Reads zeros past the end and remembers it, so that a decoder checks once. */
class Reader {
  isShort = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isWhole(): boolean {
    return !this.isShort && this.#at === this.#bytes.length;
  }

  word(): number {
    if (!this.#take(4)) return 0;
    return this.#view.getUint32(this.#at - 4, true);
  }

  double(): number {
    if (!this.#take(8)) return 0;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  words(count: number): Uint32Array {
    if (!this.#take(count * 4)) return new Uint32Array(0);
    const words = new Uint32Array(count);
    const first = this.#at - count * 4;
    for (let i = 0; i < count; i++) words[i] = this.#view.getUint32(first + 4 * i, true);
    return words;
  }

  rest(): Uint8Array {
    const rest = this.#bytes.slice(this.#at);
    this.#at = this.#bytes.length;
    return rest;
  }

  #take(bytes: number): boolean {
    if (this.isShort || bytes > this.#bytes.length - this.#at) {
      this.isShort = true;
      return false;
    }
    this.#at += bytes;
    return true;
  }
}
