import { CaptureError } from './capture-error.ts';
import type { CaptureInterface, CaptureOption, CaptureReader } from './capture-reader.ts';

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const NO_OPTIONS: CaptureOption[] = [];

/** Classic pcap: file header, then one record per frame. */
export class PcapReader implements CaptureReader {
  readonly format = 'pcap';
  readonly interfaces: readonly CaptureInterface[];
  readonly skippedBlocks = 0;
  readonly interfaceId = 0;
  readonly options = NO_OPTIONS;
  timestampNs: bigint | undefined = 0n;
  offset = 0;
  capturedLength = 0;
  originalLength = 0;
  readonly #view: DataView;
  readonly #littleEndian: boolean;
  readonly #nsPerFraction: bigint;
  #next = FILE_HEADER_BYTES;
  #ended = false;

  constructor(bytes: Uint8Array, littleEndian: boolean, resolution: 6 | 9) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#littleEndian = littleEndian;
    this.#nsPerFraction = resolution === 6 ? 1000n : 1n;
    if (bytes.length < FILE_HEADER_BYTES) {
      throw new CaptureError(`the pcap file header is truncated: ${bytes.length} of 24 bytes`, 0);
    }
    const major = this.#view.getUint16(4, littleEndian);
    const minor = this.#view.getUint16(6, littleEndian);
    if (major !== 2) throw new CaptureError(`pcap version ${major}.${minor} is not supported, only 2.x`, 4);
    this.interfaces = [
      {
        // The upper bits tell about a frame check sequence (draft-ietf-opsawg-pcap).
        linkType: this.#view.getUint32(20, littleEndian) & 0xffff,
        snapLength: this.#view.getUint32(16, littleEndian),
        timestampResolution: resolution,
        timestampOffsetSeconds: 0n,
        name: '',
        description: '',
        options: NO_OPTIONS,
      },
    ];
  }

  next(): boolean {
    const at = this.#next;
    const left = this.#view.byteLength - at;
    if (left === 0 || this.#ended) return false;
    if (left < RECORD_HEADER_BYTES) {
      throw this.#error(`the file ends inside a record header: ${left} of 16 bytes`, at);
    }
    const little = this.#littleEndian;
    const captured = this.#view.getUint32(at + 8, little);
    if (captured > left - RECORD_HEADER_BYTES) {
      const have = left - RECORD_HEADER_BYTES;
      throw this.#error(`the record states ${captured} captured bytes, but the file ends after ${have}`, at);
    }
    const seconds = BigInt(this.#view.getUint32(at, little));
    const fraction = BigInt(this.#view.getUint32(at + 4, little));
    this.timestampNs = seconds * 1_000_000_000n + fraction * this.#nsPerFraction;
    this.offset = at + RECORD_HEADER_BYTES;
    this.capturedLength = captured;
    this.originalLength = this.#view.getUint32(at + 12, little);
    this.#next = this.offset + captured;
    return true;
  }

  #error(message: string, at: number): CaptureError {
    this.#ended = true;
    return new CaptureError(message, at);
  }
}
