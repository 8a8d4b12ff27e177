import { DEFAULT_ENDPOINTS } from '../endpoints.ts';
import { MAX_FLOWS } from '../flows.ts';
import { MAX_FRAME_SIZE_BYTES, parseFrameSizes } from '../frame-sizes.ts';
import { type FrameOffload, type FrameSource, noOffload } from '../frame-source.ts';
import { FCS_BYTES } from '../line-rate.ts';
import { createPacer, type Pacer } from '../pacer.ts';
import { Prng } from '../prng.ts';
import { parseRate } from '../rate.ts';
import type { Sharing } from '../sharing.ts';
import type { TrafficSpec } from '../traffic-spec.ts';
import {
  VERIFY_MIN_BYTES,
  VERIFY_STAMPED_MIN_BYTES,
  VerifyFormat,
  type VerifyIdentity,
} from './frame-format.ts';
import { LatencyStamp } from './latency-stamp.ts';

const WORD = 4294967296;

/** Frame sizes with FCS: one period of them, in order or drawn from it, or any from `minBytes` to `maxBytes`. */
export type VerifySizes =
  | { kind: 'listed'; sizes: readonly number[]; order: 'sequence' | 'random' }
  | { kind: 'between'; minBytes: number; maxBytes: number };

/** What a `VerifySource` sends. */
export interface VerifyStream extends VerifyIdentity {
  /** Frames of the whole stream, up to 2^53 - 1. */
  packets: number;
  /** Flows that take turns; each counts its own sequence from 0. */
  flows: number;
  sizes: VerifySizes;
  /** Whether frames carry the time of `stamp`; they need 8 bytes more then. */
  isStamped: boolean;
  seed: number;
  pacer: Pacer;
  sharing: Sharing;
}

/** Which part of a stream a source gives, and what a `TrafficSpec` does not say. */
export interface VerifySourceOptions {
  shard?: number;
  shards?: number;
  /** Default: the seed of the traffic. */
  streamId?: number;
  isStamped?: boolean;
  /** Random sizes with FCS in place of those of the traffic. */
  between?: { minBytes: number; maxBytes: number };
}

/**
 * Frames that a `VerifyChecker` can tell about one by one, after whatever has happened to them: each carries its flow,
 * its number within the flow, a CRC, and a payload that follows from both numbers.
 */
export class VerifySource implements FrameSource {
  readonly packets: number;
  readonly maxLength: number;
  packet = -1;
  length = 0;
  flow = 0;
  atPs = 0;
  gapPs = 0;
  readonly offload: FrameOffload = noOffload();
  /** By flow: frames that `next` has given; what is lost of the last ones can be told from it alone. */
  readonly sent: Float64Array;
  /** Time that `write` puts into frames of a stamped stream; whoever sends sets it, once per burst is enough. */
  readonly stamp = new LatencyStamp();
  readonly #format: VerifyFormat;
  readonly #isStamped: boolean;
  readonly #sizes: Uint16Array;
  readonly #random: Prng | undefined;
  readonly #pacer: Pacer;
  readonly #shard: number;
  readonly #shards: number;
  #sizeAt = -1;
  #flowAt = -1;
  #high = 0;
  #low = 0;

  /** Throws a RangeError that names the number that is out of range. */
  constructor(stream: VerifyStream) {
    const { packets, flows, sizes, isStamped, sharing } = stream;
    checkCounts(packets, flows, sharing);
    const listed = sizes.kind === 'listed' ? sizes.sizes : range(sizes.minBytes, sizes.maxBytes);
    const least = (isStamped ? VERIFY_STAMPED_MIN_BYTES : VERIFY_MIN_BYTES) + FCS_BYTES;
    for (const size of listed) {
      if (!(size >= least && size <= MAX_FRAME_SIZE_BYTES)) {
        const what = isStamped ? 'with a time ' : '';
        throw new RangeError(
          `frames of ${size} bytes cannot verify themselves ${what}: ${least} to ${MAX_FRAME_SIZE_BYTES} bytes (FCS included) can`,
        );
      }
    }
    if (listed.length === 0) throw new RangeError('a stream needs at least one frame size');
    this.packets = packets;
    this.sent = new Float64Array(flows);
    this.#format = new VerifyFormat(stream);
    this.#isStamped = isStamped;
    this.#sizes = Uint16Array.from(listed, (size) => size - FCS_BYTES);
    this.maxLength = this.#sizes.reduce((most, length) => Math.max(most, length), 0);
    const isRandom = sizes.kind === 'between' || sizes.order === 'random';
    // A stream of its own, so that sizes do not depend on how many numbers the arrival process draws.
    this.#random = isRandom ? new Prng(stream.seed ^ 0x53495a45) : undefined;
    this.#pacer = stream.pacer;
    this.#shard = sharing.shard;
    this.#shards = sharing.shards;
  }

  next(): boolean {
    if (this.#shard >= this.sent.length) return false;
    const before = this.atPs;
    while (this.packet + 1 < this.packets) {
      this.packet++;
      if (++this.#flowAt === this.sent.length) this.#flowAt = 0;
      const flow = this.#flowAt;
      this.length = this.#nextLength();
      this.#pacer.depart(this.length);
      this.atPs = this.#pacer.atPs;
      if (this.#shards === 1 || flow % this.#shards === this.#shard) {
        const sequence = this.sent[flow];
        this.sent[flow] = sequence + 1;
        this.flow = flow;
        this.#high = Math.floor(sequence / WORD) | 0;
        this.#low = sequence | 0;
        this.gapPs = this.atPs - before;
        return true;
      }
    }
    return false;
  }

  write(u8: Uint8Array, offset: number): number {
    const stamp = this.#isStamped ? this.stamp : undefined;
    this.#format.write(u8, offset, this.length, this.flow, this.#high, this.#low, stamp);
    return this.length;
  }

  #nextLength(): number {
    const sizes = this.#sizes;
    if (this.#random !== undefined) return sizes[this.#random.nextBelow(sizes.length)];
    if (++this.#sizeAt === sizes.length) this.#sizeAt = 0;
    return sizes[this.#sizeAt];
  }
}

/**
 * The source of a stream of frames that verify themselves, with sizes, flows, rate and addresses of `traffic` (kind
 * `udp`, IPv4, no VLAN tag). Shards agree on every frame. Throws a RangeError that names what cannot be.
 */
export function createVerifySource(traffic: TrafficSpec, options: VerifySourceOptions = {}): VerifySource {
  if (traffic.kind !== 'udp' || traffic.ipVersion === 6 || traffic.vlan !== undefined)
    throw new RangeError('frames that verify themselves are UDP over IPv4 without a VLAN tag');
  const { between } = options;
  return new VerifySource({
    packets: traffic.packets ?? Number.MAX_SAFE_INTEGER,
    flows: traffic.flows ?? 1,
    sizes:
      between === undefined
        ? {
            kind: 'listed',
            sizes: parseFrameSizes(traffic.size ?? '64'),
            order: traffic.sizeOrder ?? 'sequence',
          }
        : { kind: 'between', ...between },
    isStamped: options.isStamped ?? false,
    endpoints: { ...DEFAULT_ENDPOINTS, ...traffic.endpoints },
    streamId: options.streamId ?? traffic.seed,
    seed: traffic.seed,
    pacer: createPacer(
      parseRate(traffic.rate ?? 'line', traffic.lineBps),
      traffic.arrival ?? { kind: 'constant' },
      traffic.seed,
    ),
    sharing: { shard: options.shard ?? 0, shards: options.shards ?? 1 },
  });
}

function range(minBytes: number, maxBytes: number): number[] {
  if (!Number.isSafeInteger(minBytes) || !Number.isSafeInteger(maxBytes) || minBytes > maxBytes) {
    throw new RangeError(
      `frame sizes from ${minBytes} to ${maxBytes}: whole numbers, the smaller first, are needed`,
    );
  }
  // sizes that cannot be are refused by their first and their last
  if (minBytes < 0 || maxBytes > MAX_FRAME_SIZE_BYTES) return [minBytes, maxBytes];
  return Array.from({ length: maxBytes - minBytes + 1 }, (_, i) => minBytes + i);
}

function checkCounts(packets: number, flows: number, { shard, shards }: Sharing): void {
  if (!Number.isSafeInteger(packets) || packets < 1)
    throw new RangeError(`${packets} packets: a whole number from 1 is needed`);
  if (!Number.isSafeInteger(flows) || flows < 1 || flows > MAX_FLOWS) {
    throw new RangeError(
      `${flows} flows: frames that verify themselves need a whole number from 1 to ${MAX_FLOWS}`,
    );
  }
  if (!Number.isSafeInteger(shards) || shards < 1 || !(shard >= 0 && shard < shards))
    throw new RangeError(`shard ${shard} of ${shards} does not exist`);
}
