import { type FrameOffload, type FrameSource, noOffload } from './frame-source.ts';
import { FCS_BYTES } from './line-rate.ts';
import type { TemplateShape } from './network-layers.ts';
import type { Pacer } from './pacer.ts';
import { Prng } from './prng.ts';
import { checkStream, type Sharing } from './sharing.ts';
import { UdpTemplate } from './udp-template.ts';

/** What a `UdpSource` sends. */
export interface UdpStream extends TemplateShape {
  packets: number;
  /** 0: every packet opens a new flow. */
  flows: number;
  /** One period of sizes with FCS. */
  sizes: readonly number[];
  /** `sequence`: as given, again and again. `random`: drawn from them, seeded. */
  sizeOrder: 'sequence' | 'random';
  seed: number;
  pacer: Pacer;
  sharing: Sharing;
}

/** Synthetic UDP frames: sizes, flows and moments as the stream says, payload with the packet's number. */
export class UdpSource implements FrameSource {
  readonly packets: number;
  readonly maxLength: number;
  packet = -1;
  length = 0;
  flow = 0;
  atPs = 0;
  gapPs = 0;
  readonly offload: FrameOffload = noOffload();
  readonly #templates: UdpTemplate[];
  readonly #pattern: Uint32Array;
  readonly #random: Prng | undefined;
  readonly #flows: number;
  readonly #pacer: Pacer;
  readonly #shard: number;
  readonly #shards: number;
  #patternAt = -1;
  #flowAt = -1;
  #template: UdpTemplate;

  /** Throws a RangeError for sizes too small for the headers and for numbers out of range. */
  constructor(stream: UdpStream) {
    checkStream(stream.packets, stream.flows, stream.sharing);
    const distinct = [...new Set(stream.sizes)];
    if (distinct.length === 0) throw new RangeError('a stream needs at least one frame size');
    this.packets = stream.packets;
    this.#templates = distinct.map((size) => new UdpTemplate(size - FCS_BYTES, stream));
    this.maxLength = Math.max(...distinct) - FCS_BYTES;
    this.#pattern = Uint32Array.from(stream.sizes, (size) => distinct.indexOf(size));
    // A stream of its own, so that sizes do not depend on how many numbers the arrival process draws.
    this.#random = stream.sizeOrder === 'random' ? new Prng(stream.seed ^ 0x53495a45) : undefined;
    this.#flows = stream.flows;
    this.#pacer = stream.pacer;
    this.#shard = stream.sharing.shard;
    this.#shards = stream.sharing.shards;
    this.#template = this.#templates[0];
  }

  next(): boolean {
    // A shard without flows of its own would otherwise walk the whole stream for nothing.
    if (this.#flows !== 0 && this.#shard >= this.#flows) return false;
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
    return this.#template.write(u8, offset, this.flow, this.packet);
  }

  #step(): void {
    this.packet++;
    this.#flowAt++;
    if (this.#flowAt === this.#flows) this.#flowAt = 0;
    this.flow = this.#flowAt;
    if (this.#random) {
      this.#patternAt = this.#random.nextBelow(this.#pattern.length);
    } else if (++this.#patternAt === this.#pattern.length) {
      this.#patternAt = 0;
    }
    this.#template = this.#templates[this.#pattern[this.#patternAt]];
    this.length = this.#template.length;
    this.#pacer.depart(this.length);
    this.atPs = this.#pacer.atPs;
  }
}
