import type { Arena } from '@vhostlab/memory';
import { foldSum } from '@vhostlab/packet';
import { createSource, type TrafficSpec } from '@vhostlab/workload';

/** Frames that are prepared at most, and their memory. */
const MAX_FRAMES = 4096;
export const PREPARED_BYTES = 8 * 2 ** 20;
/** From here on a call of copyWithin is cheaper than a loop over words. */
const LONG_BYTES = 512;
const PER_HIGH_WORD = 2 ** -32;

/**
 * UDP frames rendered beforehand into private memory, so that sending one costs a copy, its sequence number and its
 * checksum, and not its making. Sizes and flows take turns as in the source of package workload.
 */
export class PreparedFrames {
  readonly count: number;
  readonly lengths: Uint32Array;
  /** All frames are alike but for their sequence numbers. */
  readonly isUniform: boolean;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #b64: BigUint64Array;
  readonly #base: number;
  readonly #strideBytes: number;
  /** From the frame's start to its 64-bit sequence number; the checksum is two bytes before. */
  readonly #sequenceAt: number;
  /** Ones' complement sum of each frame without sequence number and checksum. */
  readonly #sums: Uint32Array;

  /**
   * `spec.kind` is udp. Frames of the flows whose number modulo `shards` is `shard`; `alloc` gives private memory. Throws a
   * RangeError for traffic that has none.
   */
  constructor(
    arena: Arena,
    spec: TrafficSpec,
    shard: number,
    shards: number,
    alloc: (bytes: number) => number,
  ) {
    const longest = createSource({ ...spec, rate: 'unpaced', packets: 1 }, { shard, shards }).maxLength;
    this.#strideBytes = Math.ceil(longest / 64) * 64;
    const room = Math.min(MAX_FRAMES, Math.floor(PREPARED_BYTES / this.#strideBytes));
    const source = createSource({ ...spec, rate: 'unpaced', packets: room * shards }, { shard, shards });
    this.#u8 = arena.u8;
    this.#u16 = arena.u16;
    this.#b64 = arena.b64;
    this.#base = alloc(room * this.#strideBytes);
    const vlanBytes = spec.vlan === undefined ? 0 : 4;
    this.#sequenceAt = 14 + vlanBytes + ((spec.ipVersion ?? 4) === 4 ? 20 : 40) + 8;
    const lengths: number[] = [];
    const sums: number[] = [];
    const flows = new Set<number>();
    while (lengths.length < room && source.next()) {
      const at = this.#base + lengths.length * this.#strideBytes;
      lengths.push(source.write(arena.u8, at));
      sums.push(this.#sumWithoutSequence(at));
      flows.add(source.flow);
    }
    if (lengths.length === 0) throw new RangeError(`shard ${shard} of ${shards} has no flow to send`);
    this.isUniform = flows.size === 1 && new Set(lengths).size === 1;
    this.count = lengths.length;
    this.lengths = Uint32Array.from(lengths);
    this.#sums = Uint32Array.from(sums);
  }

  /** Takes the sequence number out of a rendered frame and of the sum behind its checksum. */
  #sumWithoutSequence(at: number): number {
    const u8 = this.#u8;
    const sequence = at + this.#sequenceAt;
    let sum = ~((u8[sequence - 2] << 8) | u8[sequence - 1]) & 0xffff;
    for (let i = 0; i < 8; i += 2) sum += ~((u8[sequence + i] << 8) | u8[sequence + i + 1]) & 0xffff;
    u8.fill(0, sequence, sequence + 8);
    return foldSum(sum);
  }

  /** Copies frame `k` to arena offset `to`, a multiple of 8: all but its sequence number and checksum. @hot */
  copy(k: number, to: number): void {
    const from = this.#base + k * this.#strideBytes;
    const length = this.lengths[k];
    if (length >= LONG_BYTES) {
      this.#u8.copyWithin(to, from, from + length);
      return;
    }
    const b64 = this.#b64;
    const d = to >>> 3;
    const s = from >>> 3;
    const words = (length + 7) >>> 3;
    for (let i = 0; i < words; i++) b64[d + i] = b64[s + i];
  }

  /**
   * Numbers `n` frames, copied before to the `offsets` of the buffers in `list`: frame `from` and following, sequence
   * numbers from `sequence` on, `step` apart and below 2^53; with them their checksums. @hot
   */
  number(
    offsets: Uint32Array,
    list: Uint32Array,
    n: number,
    from: number,
    sequence: number,
    step: number,
  ): void {
    const u16 = this.#u16;
    const sums = this.#sums;
    const count = this.count;
    const at = this.#sequenceAt;
    let k = from;
    let current = sequence;
    for (let i = 0; i < n; i++) {
      const low = current >>> 0;
      const high = (current * PER_HIGH_WORD) >>> 0;
      let sum = sums[k] + (low >>> 16) + (low & 0xffff) + (high >>> 16) + (high & 0xffff);
      sum = (sum & 0xffff) + (sum >>> 16);
      sum = (sum & 0xffff) + (sum >>> 16);
      const checksum = sum === 0xffff ? 0xffff : ~sum;
      const w = (offsets[list[i]] + at) >>> 1;
      u16[w - 1] = ((checksum >>> 8) & 0xff) | (checksum << 8);
      u16[w] = (high >>> 24) | ((high >>> 8) & 0xff00);
      u16[w + 1] = ((high >>> 8) & 0xff) | (high << 8);
      u16[w + 2] = (low >>> 24) | ((low >>> 8) & 0xff00);
      u16[w + 3] = ((low >>> 8) & 0xff) | (low << 8);
      current += step;
      if (++k === count) k = 0;
    }
  }
}
