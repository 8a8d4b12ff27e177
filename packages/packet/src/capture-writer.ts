import { type CaptureOption, LINKTYPE_ETHERNET } from './capture-reader.ts';
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  BYTE_ORDER_MAGIC,
  nsToTicks,
  OPTION_COMMENT,
  OPTION_IF_DESCRIPTION,
  OPTION_IF_NAME,
  OPTION_IF_TSOFFSET,
  OPTION_IF_TSRESOL,
} from './pcapng-format.ts';

/** A frame to write. `originalLength` defaults to the bytes given; more: the capture cut the frame. */
export interface CaptureFrame {
  bytes: Uint8Array;
  timestampNs: bigint;
  originalLength?: number;
}

/** Growing bytes with the integers of one byte order. */
class Output {
  readonly #littleEndian: boolean;
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  /** Makes room for `bytes` more and answers where they begin; they are zero. */
  reserve(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.#view.setUint16(at, value, this.#littleEndian);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.#view.setUint32(at, value, this.#littleEndian);
  }

  i64(value: bigint): void {
    const at = this.reserve(8);
    this.#view.setBigInt64(at, value, this.#littleEndian);
  }

  put(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Everything written since the last call. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/** Options of a pcap file; the default is nanoseconds, little-endian, Ethernet. */
export interface PcapWriterOptions {
  resolution?: 'microseconds' | 'nanoseconds';
  littleEndian?: boolean;
  linkType?: number;
  snapLength?: number;
}

/** Writes a classic pcap file into memory. */
export class PcapWriter {
  readonly #out: Output;
  readonly #nanoseconds: boolean;

  constructor(options: PcapWriterOptions = {}) {
    this.#out = new Output(options.littleEndian ?? true);
    this.#nanoseconds = options.resolution !== 'microseconds';
    this.#out.u32(this.#nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
    this.#out.u16(2);
    this.#out.u16(4);
    this.#out.u32(0);
    this.#out.u32(0);
    this.#out.u32(options.snapLength ?? 262144);
    this.#out.u32(options.linkType ?? LINKTYPE_ETHERNET);
  }

  /** Throws a RangeError for moments that the format's 32-bit seconds cannot hold (before 1970, after 2106). */
  write(frame: CaptureFrame): void {
    const seconds = frame.timestampNs / 1_000_000_000n;
    if (frame.timestampNs < 0n || seconds > 0xffffffffn) {
      throw new RangeError(`pcap cannot hold a timestamp of ${frame.timestampNs} ns`);
    }
    const fraction = Number(frame.timestampNs % 1_000_000_000n);
    this.#out.u32(Number(seconds));
    this.#out.u32(this.#nanoseconds ? fraction : Math.floor(fraction / 1000));
    this.#out.u32(frame.bytes.length);
    this.#out.u32(frame.originalLength ?? frame.bytes.length);
    this.#out.put(frame.bytes);
  }

  /** The bytes written since the last `take`: the whole file, or its next part when streaming. */
  take(): Uint8Array {
    return this.#out.take();
  }
}

/** An interface to describe; the default is Ethernet with nanoseconds. */
export interface PcapngInterface {
  name?: string;
  description?: string;
  linkType?: number;
  snapLength?: number;
  /** if_tsresol, default 9. */
  timestampResolution?: number;
  /** if_tsoffset, default 0. */
  timestampOffsetSeconds?: bigint;
  /** Further options, as they are. */
  options?: readonly CaptureOption[];
}

/** A frame for a pcapng file. */
export interface PcapngFrame extends CaptureFrame {
  interfaceId?: number;
  comment?: string;
  options?: readonly CaptureOption[];
}

/** Writes one section of a pcapng file into memory. */
export class PcapngWriter {
  readonly #out: Output;
  readonly #littleEndian: boolean;
  readonly #interfaces: { resolution: number; offsetSeconds: bigint }[] = [];

  constructor(options: { littleEndian?: boolean; options?: readonly CaptureOption[] } = {}) {
    this.#littleEndian = options.littleEndian ?? true;
    this.#out = new Output(this.#littleEndian);
    const sectionOptions = options.options ?? [];
    this.#block(BLOCK_SECTION, 16, sectionOptions, () => {
      this.#out.u32(BYTE_ORDER_MAGIC);
      this.#out.u16(1);
      this.#out.u16(0);
      this.#out.i64(-1n);
    });
  }

  /** Describes an interface and answers its number. */
  addInterface(described: PcapngInterface = {}): number {
    const resolution = described.timestampResolution ?? 9;
    const offsetSeconds = described.timestampOffsetSeconds ?? 0n;
    const options: CaptureOption[] = [];
    if (described.name) options.push({ code: OPTION_IF_NAME, value: utf8(described.name) });
    if (described.description)
      options.push({ code: OPTION_IF_DESCRIPTION, value: utf8(described.description) });
    options.push({ code: OPTION_IF_TSRESOL, value: Uint8Array.of(resolution) });
    if (offsetSeconds !== 0n) {
      const value = new Uint8Array(8);
      new DataView(value.buffer).setBigInt64(0, offsetSeconds, this.#littleEndian);
      options.push({ code: OPTION_IF_TSOFFSET, value });
    }
    options.push(...(described.options ?? []));
    this.#block(BLOCK_INTERFACE, 8, options, () => {
      this.#out.u16(described.linkType ?? LINKTYPE_ETHERNET);
      this.#out.u16(0);
      this.#out.u32(described.snapLength ?? 0);
    });
    return this.#interfaces.push({ resolution, offsetSeconds }) - 1;
  }

  /** Writes an enhanced packet. Throws a RangeError for an interface that was not described, or a moment before its offset. */
  write(frame: PcapngFrame): void {
    const id = frame.interfaceId ?? 0;
    const described = this.#interfaces[id];
    if (described === undefined) throw new RangeError(`interface ${id} was not described`);
    const ns = frame.timestampNs - described.offsetSeconds * 1_000_000_000n;
    const ticks = nsToTicks(ns, described.resolution);
    if (ns < 0n || ticks >= 1n << 64n) {
      throw new RangeError(`interface ${id} cannot hold a timestamp of ${frame.timestampNs} ns`);
    }
    const options = [...(frame.options ?? [])];
    if (frame.comment) options.unshift({ code: OPTION_COMMENT, value: utf8(frame.comment) });
    this.#block(BLOCK_ENHANCED_PACKET, 20 + padded(frame.bytes.length), options, () => {
      this.#out.u32(id);
      this.#out.u32(Number(ticks >> 32n));
      this.#out.u32(Number(ticks & 0xffffffffn));
      this.#out.u32(frame.bytes.length);
      this.#out.u32(frame.originalLength ?? frame.bytes.length);
      this.#out.put(frame.bytes);
    });
  }

  /** Writes a simple packet: interface 0, no timestamp, no options. */
  writeSimple(bytes: Uint8Array, originalLength = bytes.length): void {
    this.#block(BLOCK_SIMPLE_PACKET, 4 + padded(bytes.length), [], () => {
      this.#out.u32(originalLength);
      this.#out.put(bytes);
    });
  }

  /** Writes a block of another type; readers that do not know it pass over it. */
  writeBlock(type: number, body: Uint8Array): void {
    this.#block(type, padded(body.length), [], () => this.#out.put(body));
  }

  /** The bytes written since the last `take`: the whole file, or its next part when streaming. */
  take(): Uint8Array {
    return this.#out.take();
  }

  #block(type: number, bodyBytes: number, options: readonly CaptureOption[], body: () => void): void {
    let optionBytes = options.length > 0 ? 4 : 0;
    for (const { value } of options) optionBytes += 4 + padded(value.length);
    const total = 12 + bodyBytes + optionBytes;
    this.#out.u32(type);
    this.#out.u32(total);
    const before = this.#out.reserve(0);
    body();
    this.#out.reserve(before + bodyBytes - this.#out.reserve(0));
    for (const { code, value } of options) {
      this.#out.u16(code);
      this.#out.u16(value.length);
      this.#out.put(value);
      this.#out.reserve(padded(value.length) - value.length);
    }
    if (options.length > 0) this.#out.u32(0);
    this.#out.u32(total);
  }
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
