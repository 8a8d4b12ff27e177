import type { Arena, PacketPool } from '@vhostlab/memory';
import {
  checkHeader,
  completeChecksum,
  type FeatureSet,
  gather,
  HEADER_FAULTS,
  HEADER_OK,
  type HeaderBytes,
  type HeaderRules,
  hasOffload,
  headerBytes,
  NO_OFFLOAD,
  readHeader,
  receiveRules,
  transmitRules,
  writeHeader,
} from '@vhostlab/virtio-net';
import type { ChainBatch } from '@vhostlab/virtqueue';

const NO_RULES: HeaderRules = { csum: false, ecn: false, gsoTypes: 0 };

/** The virtio-net headers of one queue pair: read and checked in front of sent frames, written for received ones. */
export class FrameHeaders {
  /** Bytes of a header with the negotiated features. */
  bytes: HeaderBytes = 12;
  /** Arena offset at which `write` leaves a header. */
  readonly offset: number;
  readonly #arena: Arena;
  readonly #fields = { ...NO_OFFLOAD };
  #offload = false;
  #txRules = NO_RULES;
  #rxRules = NO_RULES;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.offset = arena.alloc(64);
  }

  /** Takes over the negotiated features. */
  negotiate(features: FeatureSet): void {
    this.bytes = headerBytes(features);
    this.#txRules = transmitRules(features);
    this.#rxRules = receiveRules(features);
  }

  /** Reads the header of chain `c`, whose frame has `frameBytes`; what is wrong with it, '' when nothing is. */
  read(batch: ChainBatch, c: number, frameBytes: number): string {
    const { u8 } = this.#arena;
    const first = batch.firstSegment[c];
    let header = batch.offset[first];
    if (batch.length[first] < this.bytes) {
      // the driver may cut the header as it likes (virtio 1.3, 2.7.4.1)
      gather(this.#arena, batch, c, 0, this.offset, this.bytes);
      header = this.offset;
    }
    this.#offload = hasOffload(u8, header);
    if (!this.#offload) return '';
    readHeader(u8, header, this.#fields);
    const fault = checkHeader(this.#fields, frameBytes, this.#txRules);
    return fault === HEADER_OK ? '' : HEADER_FAULTS[fault];
  }

  /** Frames on the wire that the frame is whose header was read, of `frameBytes`. */
  wireFrames(frameBytes: number): number {
    const { gsoType, gsoSize, hdrLen } = this.#fields;
    if (!this.#offload || gsoType === 0 || gsoSize === 0) return 1;
    return Math.max(1, Math.ceil((frameBytes - hdrLen) / gsoSize));
  }

  /** Puts what `read` found into the metadata of packet `index`. */
  store(pool: PacketPool, index: number): void {
    if (!this.#offload) return;
    pool.flags[index] = this.#fields.flags;
    pool.gsoType[index] = this.#fields.gsoType;
    pool.hdrLen[index] = this.#fields.hdrLen;
    pool.gsoSize[index] = this.#fields.gsoSize;
    pool.csumStart[index] = this.#fields.csumStart;
    pool.csumOffset[index] = this.#fields.csumOffset;
  }

  /**
   * Makes the header of packet `index` one that the guest understands; a checksum that it would not complete is
   * completed here. False when the guest cannot take the frame at all.
   */
  fit(pool: PacketPool, index: number): boolean {
    const fields = this.#fields;
    fields.flags = pool.flags[index];
    fields.gsoType = pool.gsoType[index];
    fields.hdrLen = pool.hdrLen[index];
    fields.gsoSize = pool.gsoSize[index];
    fields.csumStart = pool.csumStart[index];
    fields.csumOffset = pool.csumOffset[index];
    if (fields.flags === 0 && fields.gsoType === 0) return true;
    if (fields.gsoType !== 0 && (this.#rxRules.gsoTypes & (1 << fields.gsoType)) === 0) return false;
    if (!this.#rxRules.csum) {
      completeChecksum(this.#arena.u8, pool.offset[index], pool.length[index], fields);
      fields.flags = 0;
      fields.csumStart = 0;
      fields.csumOffset = 0;
      // a frame that finds no room comes here again
      pool.flags[index] = 0;
    }
    return true;
  }

  /** Writes the header that `fit` made, for a frame in `buffers` receive buffers. */
  write(buffers: number): void {
    writeHeader(this.#arena.u8, this.offset, this.bytes, this.#fields, buffers);
  }
}
