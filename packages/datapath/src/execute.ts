import type { Arena } from '@vhostlab/memory';
import { OP_DEC_TTL, OP_OUTPUT, OP_OUTPUT_COPY, OP_POP_VLAN, OP_PUSH_VLAN, OP_SET } from './actions.ts';
import { KeyExtractor } from './extract.ts';
import { FrameWriter } from './frame-writer.ts';
import { KEY_WORDS } from './key.ts';

/** Outputs that one execution yields at most; further ones are counted as `overflow`. */
export const OUTPUTS_MAX = 256;

/** Where copies of a frame go. */
export interface FrameCopier {
  /** Copies the frame to a buffer with the same headroom; answers its offset, -1 when there is no buffer. */
  copyFrame(offset: number, length: number): number;
}

/**
 * Executes programs on frames in the arena. The outputs of the last execution stand in the `out` arrays, in
 * order. All of them but the program's last are copies, so that at most one gives the frame itself away. A push
 * moves the frame's start into the headroom before it, a pop moves it forward.
 */
export class ActionExecutor {
  /** Outputs of the last execution. */
  count = 0;
  readonly outPort = new Int32Array(OUTPUTS_MAX);
  readonly outOffset = new Int32Array(OUTPUTS_MAX);
  readonly outLength = new Int32Array(OUTPUTS_MAX);
  /** 1: the frame is a copy that the copier made, and nobody else's. */
  readonly outIsCopy = new Uint8Array(OUTPUTS_MAX);
  /** Start and length of the frame after all actions. */
  offset = 0;
  length = 0;
  /** Outputs lost since the start: no buffer for the copy. */
  dropNoBuffer = 0;
  /** Frames dropped since the start: no headroom left for a tag. */
  dropNoHeadroom = 0;
  /** Frames dropped since the start: TTL was 1 or 0. */
  dropTtl = 0;
  /** Outputs lost since the start: more than `OUTPUTS_MAX` in one execution. */
  dropOverflow = 0;
  readonly #u8: Uint8Array;
  readonly #copier: FrameCopier;
  readonly #extractor = new KeyExtractor();
  readonly #key = new Uint32Array(KEY_WORDS);
  readonly #writer: FrameWriter;

  constructor(arena: Arena, copier: FrameCopier) {
    this.#u8 = arena.u8;
    this.#copier = copier;
    this.#writer = new FrameWriter(arena.u8);
  }

  /**
   * Runs `program` on the frame of `length` bytes at `offset`. `headroomBytes`: bytes before it that a push may
   * use. `isPartial`: its transport checksum holds only the sum of the pseudo header (virtio 1.3, 5.1.6.2,
   * NEEDS_CSUM), which changes of addresses keep true. Answers the number of outputs; 0: the frame is dropped.
   */
  execute(
    program: Uint32Array,
    offset: number,
    length: number,
    headroomBytes: number,
    isPartial: boolean,
  ): number {
    this.count = 0;
    this.offset = offset;
    this.length = length;
    let headroom = headroomBytes;
    let isParsed = false;
    for (let i = 0; i < program.length; ) {
      switch (program[i]) {
        case OP_OUTPUT:
          this.#output(program[i + 1], this.offset, 0);
          i += 2;
          break;
        case OP_OUTPUT_COPY:
          this.#outputCopy(program[i + 1]);
          i += 2;
          break;
        case OP_PUSH_VLAN:
          if (headroom < 4) {
            this.dropNoHeadroom++;
            return this.count;
          }
          headroom -= 4;
          this.#pushVlan(program[i + 1] | 0);
          i += 2;
          break;
        case OP_POP_VLAN:
          if (this.#popVlan()) headroom += 4;
          i += 1;
          break;
        case OP_SET:
          if (!isParsed) isParsed = this.#parse(isPartial);
          this.#writer.set(this.offset, program[i + 1], program[i + 2] | 0, program[i + 3] | 0);
          i += 4;
          break;
        case OP_DEC_TTL:
          if (!isParsed) isParsed = this.#parse(isPartial);
          if (!this.#writer.decrementTtl()) {
            this.dropTtl++;
            return this.count;
          }
          i += 1;
          break;
        default:
          return this.count;
      }
    }
    return this.count;
  }

  #parse(isPartial: boolean): boolean {
    this.#extractor.extract(this.#u8, this.offset, this.length, 0, this.#key, 0);
    this.#writer.begin(this.#extractor, this.#key, isPartial);
    return true;
  }

  #output(port: number, offset: number, isCopy: 0 | 1): void {
    const n = this.count;
    if (n === OUTPUTS_MAX) {
      this.dropOverflow++;
      return;
    }
    this.outPort[n] = port;
    this.outOffset[n] = offset;
    this.outLength[n] = this.length;
    this.outIsCopy[n] = isCopy;
    this.count = n + 1;
  }

  #outputCopy(port: number): void {
    const copy = this.count === OUTPUTS_MAX ? -1 : this.#copier.copyFrame(this.offset, this.length);
    if (copy < 0) this.dropNoBuffer++;
    else this.#output(port, copy, 1);
  }

  #pushVlan(tag: number): void {
    const u8 = this.#u8;
    const from = this.offset;
    u8.copyWithin(from - 4, from, from + 12);
    u8[from + 8] = tag >>> 24;
    u8[from + 9] = tag >>> 16;
    // Bit 12 of a key's TCI says "present"; on the wire it is DEI, which stays 0.
    u8[from + 10] = (tag >>> 8) & 0xef;
    u8[from + 11] = tag;
    this.offset = from - 4;
    this.length += 4;
  }

  #popVlan(): boolean {
    const u8 = this.#u8;
    const from = this.offset;
    const type = (u8[from + 12] << 8) | u8[from + 13];
    if (this.length < 18 || (type !== 0x8100 && type !== 0x88a8)) return false;
    u8.copyWithin(from + 4, from, from + 12);
    this.offset = from + 4;
    this.length -= 4;
    return true;
  }
}
