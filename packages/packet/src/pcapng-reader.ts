import { CaptureError } from './capture-error.ts';
import type { CaptureInterface, CaptureOption, CaptureReader } from './capture-reader.ts';
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_PACKET,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  BYTE_ORDER_MAGIC,
  OPTION_END,
  OPTION_IF_DESCRIPTION,
  OPTION_IF_NAME,
  OPTION_IF_TSOFFSET,
  OPTION_IF_TSRESOL,
  ticksToNs,
} from './pcapng-format.ts';

const TEXT = new TextDecoder();

/** pcapng: sections of blocks. Each section states its byte order and describes its interfaces anew. */
export class PcapngReader implements CaptureReader {
  readonly format = 'pcapng';
  readonly interfaces: CaptureInterface[] = [];
  /** Options of the section header that was read last. */
  sectionOptions: readonly CaptureOption[] = [];
  skippedBlocks = 0;
  interfaceId = 0;
  timestampNs: bigint | undefined = undefined;
  offset = 0;
  capturedLength = 0;
  originalLength = 0;
  options: readonly CaptureOption[] = [];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #littleEndian = false;
  #sectionBase = 0;
  #next = 0;
  #ended = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#readBlock();
  }

  next(): boolean {
    while (!this.#ended && this.#next < this.#bytes.length) {
      if (this.#readBlock()) return true;
    }
    return false;
  }

  /** Reads one block; true when it held a frame. */
  #readBlock(): boolean {
    const at = this.#next;
    const left = this.#bytes.length - at;
    if (left < 12) throw this.#error(`the file ends inside a block header: ${left} of 12 bytes`, at);
    let type = this.#view.getUint32(at, this.#littleEndian);
    // The section header's type reads the same in both byte orders, its length does not.
    if (type === BLOCK_SECTION) this.#readByteOrder(at);
    type = this.#view.getUint32(at, this.#littleEndian);
    const length = this.#u32(at + 4);
    const name = `block of type 0x${type.toString(16).padStart(8, '0')}`;
    if (length < 12 || length % 4 !== 0) throw this.#error(`${name} states a length of ${length} bytes`, at);
    if (length > left)
      throw this.#error(`${name} states ${length} bytes, but the file ends after ${left}`, at);
    const trailer = this.#u32(at + length - 4);
    if (trailer !== length) {
      throw this.#error(`${name} states ${length} bytes in front and ${trailer} behind`, at);
    }
    const end = at + length - 4;
    this.#next = at + length;
    switch (type) {
      case BLOCK_SECTION:
        this.#need(name, at, end, 24);
        return this.#readSection(at, end);
      case BLOCK_INTERFACE:
        this.#need(name, at, end, 16);
        return this.#readInterface(at, end);
      case BLOCK_ENHANCED_PACKET:
        this.#need(name, at, end, 28);
        this.#readPacket(at, end, this.#u32(at + 8));
        return true;
      case BLOCK_PACKET:
        this.#need(name, at, end, 28);
        this.#readPacket(at, end, this.#view.getUint16(at + 8, this.#littleEndian));
        return true;
      case BLOCK_SIMPLE_PACKET:
        this.#need(name, at, end, 12);
        this.#readSimplePacket(at, end);
        return true;
      default:
        this.skippedBlocks++;
        return false;
    }
  }

  #readByteOrder(at: number): void {
    this.#littleEndian = false;
    const magic = this.#u32(at + 8);
    if (magic === BYTE_ORDER_MAGIC) return;
    this.#littleEndian = true;
    if (this.#u32(at + 8) !== BYTE_ORDER_MAGIC) {
      throw this.#error(`the section's byte-order magic is 0x${magic.toString(16).padStart(8, '0')}`, at + 8);
    }
  }

  #readSection(at: number, end: number): boolean {
    const major = this.#view.getUint16(at + 12, this.#littleEndian);
    const minor = this.#view.getUint16(at + 14, this.#littleEndian);
    if (major !== 1) {
      throw this.#error(`pcapng version ${major}.${minor} is not supported, only 1.x`, at + 12);
    }
    this.#sectionBase = this.interfaces.length;
    this.sectionOptions = this.#readOptions(at + 24, end);
    return false;
  }

  #readInterface(at: number, end: number): boolean {
    const options = this.#readOptions(at + 16, end);
    const described: CaptureInterface = {
      linkType: this.#view.getUint16(at + 8, this.#littleEndian),
      snapLength: this.#u32(at + 12),
      timestampResolution: 6,
      timestampOffsetSeconds: 0n,
      name: '',
      description: '',
      options,
    };
    for (const { code, value } of options) {
      if (code === OPTION_IF_NAME) described.name = TEXT.decode(value);
      if (code === OPTION_IF_DESCRIPTION) described.description = TEXT.decode(value);
      if (code === OPTION_IF_TSRESOL && value.length === 1) described.timestampResolution = value[0];
      if (code === OPTION_IF_TSOFFSET && value.length === 8) {
        const view = new DataView(value.buffer, value.byteOffset, 8);
        described.timestampOffsetSeconds = view.getBigInt64(0, this.#littleEndian);
      }
    }
    this.interfaces.push(described);
    return false;
  }

  #readPacket(at: number, end: number, id: number): void {
    const described = this.#interface(id, at);
    const captured = this.#u32(at + 20);
    const room = end - at - 28;
    if (captured > room) {
      throw this.#error(`the packet states ${captured} captured bytes in a block with room for ${room}`, at);
    }
    const ticks = (BigInt(this.#u32(at + 12)) << 32n) | BigInt(this.#u32(at + 16));
    this.timestampNs =
      ticksToNs(ticks, described.timestampResolution) + described.timestampOffsetSeconds * 1_000_000_000n;
    this.interfaceId = this.#sectionBase + id;
    this.offset = at + 28;
    this.capturedLength = captured;
    this.originalLength = this.#u32(at + 24);
    this.options = this.#readOptions(at + 28 + ((captured + 3) & ~3), end);
  }

  #readSimplePacket(at: number, end: number): void {
    const described = this.#interface(0, at);
    const original = this.#u32(at + 8);
    const room = end - at - 12;
    const kept = described.snapLength === 0 ? original : Math.min(original, described.snapLength);
    if (kept > room) {
      throw this.#error(`the simple packet states ${kept} bytes in a block with room for ${room}`, at);
    }
    this.timestampNs = undefined;
    this.interfaceId = this.#sectionBase;
    this.offset = at + 12;
    this.capturedLength = kept;
    this.originalLength = original;
    this.options = [];
  }

  #interface(id: number, at: number): CaptureInterface {
    const described = this.interfaces[this.#sectionBase + id];
    if (described === undefined) {
      const known = this.interfaces.length - this.#sectionBase;
      throw this.#error(`the packet is of interface ${id}, but the section describes only ${known}`, at);
    }
    return described;
  }

  #readOptions(from: number, end: number): CaptureOption[] {
    const options: CaptureOption[] = [];
    for (let at = from; at < end; ) {
      if (at + 4 > end) throw this.#error('an option header is truncated', at);
      const code = this.#view.getUint16(at, this.#littleEndian);
      const length = this.#view.getUint16(at + 2, this.#littleEndian);
      if (code === OPTION_END) break;
      if (at + 4 + length > end) {
        throw this.#error(`option ${code} states ${length} bytes, beyond its block`, at);
      }
      options.push({ code, value: this.#bytes.slice(at + 4, at + 4 + length) });
      at += 4 + ((length + 3) & ~3);
    }
    return options;
  }

  #need(name: string, at: number, end: number, bytes: number): void {
    if (end - at < bytes) throw this.#error(`${name} is too short: ${end + 4 - at} bytes`, at);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#littleEndian);
  }

  #error(message: string, at: number): CaptureError {
    this.#ended = true;
    return new CaptureError(message, at);
  }
}
