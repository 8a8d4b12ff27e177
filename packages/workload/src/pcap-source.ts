import type { CaptureReader } from '@vhostlab/packet';
import { DecodedHeaders, decodeInto, LINKTYPE_ETHERNET, readCapture } from '@vhostlab/packet';
import { type FrameOffload, type FrameSource, noOffload } from './frame-source.ts';
import type { Pacer } from './pacer.ts';
import { checkStream, type Sharing } from './sharing.ts';

/** Shortest frame that is one: an Ethernet header. */
const MIN_FRAME_BYTES = 14;
/** Longest frame that is replayed unless the caller says otherwise: the largest IP packet with its header. */
const DEFAULT_MAX_FRAME_BYTES = 65549;
/** Frames up to this length are copied byte by byte, which beats a call then. */
const SHORT_COPY_BYTES = 96;

/** How a capture is replayed. */
export interface PcapReplay {
  /** Frames to send: fewer than the file has, or more, then it starts again. Default: the file once. */
  packets?: number;
  /** Longer frames are left out and counted; default 65549. */
  maxFrameBytes?: number;
  /** Moments: those of the capture divided by `speed`, or those of a pacer. */
  timing: { kind: 'captured'; speed: number } | { kind: 'paced'; pacer: Pacer };
  sharing: Sharing;
}

/** The frames of a capture as a table, in file order. */
class FrameTable {
  offset = new Uint32Array(1024);
  length = new Uint32Array(1024);
  flow = new Uint32Array(1024);
  atPs = new Float64Array(1024);
  count = 0;

  push(offset: number, length: number, flow: number, atPs: number): void {
    if (this.count === this.offset.length) this.#grow();
    this.offset[this.count] = offset;
    this.length[this.count] = length;
    this.flow[this.count] = flow;
    this.atPs[this.count++] = atPs;
  }

  #grow(): void {
    const grown = <T extends Uint32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    const size = this.count * 2;
    this.offset = grown(this.offset, new Uint32Array(size));
    this.length = grown(this.length, new Uint32Array(size));
    this.flow = grown(this.flow, new Uint32Array(size));
    this.atPs = grown(this.atPs, new Float64Array(size));
  }
}

/**
 * Replays a capture: bytes as captured (nothing padded, nothing cut), flows numbered by first appearance of their
 * addresses, protocol and ports. Captures from interfaces other than Ethernet are refused.
 */
export class PcapSource implements FrameSource {
  readonly packets: number;
  readonly maxLength: number;
  /** Frames of the file that are replayed, and those that are not: no whole Ethernet header, or too long. */
  readonly framesInFile: number;
  readonly skippedTooShort: number;
  readonly skippedTooLong: number;
  /** Frames that the capture had cut already: they travel cut. */
  readonly truncatedFrames: number;
  /** Frames stamped earlier than the one before: they follow at once. */
  readonly unsortedFrames: number;
  readonly flows: number;
  packet = -1;
  length = 0;
  flow = 0;
  atPs = 0;
  gapPs = 0;
  readonly offload: FrameOffload = noOffload();
  readonly #bytes: Uint8Array;
  readonly #frames: FrameTable;
  readonly #pacer: Pacer | undefined;
  readonly #speed: number;
  readonly #loopPs: number;
  readonly #shard: number;
  readonly #shards: number;
  #at = -1;
  #loopStartPs = 0;

  /** Throws what `readCapture` throws, and a RangeError for captures without frames or of another link type. */
  constructor(bytes: Uint8Array, replay: PcapReplay) {
    const loaded = load(bytes, replay.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES);
    this.#bytes = bytes;
    this.#frames = loaded.frames;
    this.framesInFile = loaded.frames.count;
    this.maxLength = loaded.maxLength;
    this.skippedTooShort = loaded.skippedTooShort;
    this.skippedTooLong = loaded.skippedTooLong;
    this.truncatedFrames = loaded.truncatedFrames;
    this.unsortedFrames = loaded.unsortedFrames;
    this.flows = loaded.flows;
    this.packets = replay.packets ?? this.framesInFile;
    checkStream(this.packets, this.flows, replay.sharing);
    this.#pacer = replay.timing.kind === 'paced' ? replay.timing.pacer : undefined;
    this.#speed = replay.timing.kind === 'captured' ? replay.timing.speed : 1;
    if (!(this.#speed > 0)) throw new RangeError(`replay speed ${this.#speed}: more than 0 is needed`);
    const last = this.#frames.atPs[this.framesInFile - 1];
    // A repetition follows after the mean gap of the file.
    this.#loopPs = this.framesInFile > 1 ? last + Math.round(last / (this.framesInFile - 1)) : 0;
    this.#shard = replay.sharing.shard;
    this.#shards = replay.sharing.shards;
  }

  next(): boolean {
    if (this.#shard >= this.flows) return false;
    const before = this.atPs;
    while (this.packet + 1 < this.packets) {
      this.#step();
      if (this.#shards === 1 || this.flow % this.#shards === this.#shard) {
        this.gapPs = this.atPs - before;
        return true;
      }
    }
    return false;
  }

  write(u8: Uint8Array, offset: number): number {
    const from = this.#frames.offset[this.#at];
    const length = this.length;
    if (length <= SHORT_COPY_BYTES) {
      const bytes = this.#bytes;
      for (let i = 0; i < length; i++) u8[offset + i] = bytes[from + i];
    } else {
      Buffer.prototype.copy.call(this.#bytes, u8, offset, from, from + length);
    }
    return length;
  }

  #step(): void {
    this.packet++;
    if (++this.#at === this.framesInFile) {
      this.#at = 0;
      this.#loopStartPs += this.#loopPs;
    }
    this.length = this.#frames.length[this.#at];
    this.flow = this.#frames.flow[this.#at];
    if (this.#pacer) {
      this.#pacer.depart(this.length);
      this.atPs = this.#pacer.atPs;
    } else {
      this.atPs = Math.round((this.#loopStartPs + this.#frames.atPs[this.#at]) / this.#speed);
    }
  }
}

interface LoadedCapture {
  frames: FrameTable;
  flows: number;
  maxLength: number;
  skippedTooShort: number;
  skippedTooLong: number;
  truncatedFrames: number;
  unsortedFrames: number;
}

function load(bytes: Uint8Array, maxFrameBytes: number): LoadedCapture {
  const reader = readCapture(bytes);
  const frames = new FrameTable();
  const flows = new FlowNumbers(bytes);
  const loaded: LoadedCapture = {
    frames,
    flows: 0,
    maxLength: 0,
    skippedTooShort: 0,
    skippedTooLong: 0,
    truncatedFrames: 0,
    unsortedFrames: 0,
  };
  let firstNs: bigint | undefined;
  let lastPs = 0;
  while (reader.next()) {
    const { linkType, name } = reader.interfaces[reader.interfaceId];
    if (linkType !== LINKTYPE_ETHERNET) {
      const which = name || `interface ${reader.interfaceId}`;
      throw new RangeError(
        `the capture's ${which} has link type ${linkType}; only Ethernet (1) can be replayed`,
      );
    }
    if (reader.capturedLength < MIN_FRAME_BYTES) {
      loaded.skippedTooShort++;
      continue;
    }
    if (reader.capturedLength > maxFrameBytes) {
      loaded.skippedTooLong++;
      continue;
    }
    loaded.maxLength = Math.max(loaded.maxLength, reader.capturedLength);
    if (reader.originalLength > reader.capturedLength) loaded.truncatedFrames++;
    firstNs ??= reader.timestampNs;
    let atPs = lastPs;
    if (reader.timestampNs !== undefined && firstNs !== undefined) {
      atPs = Number(reader.timestampNs - firstNs) * 1000;
      if (atPs > Number.MAX_SAFE_INTEGER) {
        throw new RangeError('the capture spans more than 2.5 hours, which virtual time cannot hold');
      }
      if (atPs < lastPs) {
        loaded.unsortedFrames++;
        atPs = lastPs;
      }
    }
    frames.push(reader.offset, reader.capturedLength, flows.numberOf(reader), atPs);
    lastPs = atPs;
  }
  if (frames.count === 0) throw new RangeError('the capture has no frames to replay');
  loaded.flows = flows.count;
  return loaded;
}

/** Gives flows numbers as they appear. */
class FlowNumbers {
  readonly #bytes: Uint8Array;
  readonly #headers = new DecodedHeaders();
  readonly #numbers = new Map<string, number>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get count(): number {
    return this.#numbers.size;
  }

  numberOf(frame: CaptureReader): number {
    const headers = this.#headers;
    decodeInto(this.#bytes, frame.offset, frame.capturedLength, headers);
    const at = frame.offset + headers.addressOffset;
    const addresses =
      headers.addressBytes === 0
        ? this.#bytes.subarray(frame.offset, frame.offset + 12)
        : this.#bytes.subarray(at, at + 2 * headers.addressBytes);
    const { etherType, ipProto } = headers;
    // All fragments of a datagram are one flow, and only the first has ports.
    const ports = headers.fragment || headers.ipVersion === 0 ? '' : `${headers.srcPort},${headers.dstPort}`;
    const key = `${addresses.join()} ${etherType} ${ipProto} ${ports}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(key, number);
    }
    return number;
  }
}
