import { testFrame } from '@vhostlab/datapath/test-kit';
import type { CoreContext } from '@vhostlab/engine';
import { type DriverQueue, SegmentList, UsedBatch } from '@vhostlab/virtqueue';
import { GPA_BASE, type GuestLayout, UNMAPPED_GPA } from './guest-memory.ts';

/** What the test guest sends, and how its buffers are cut. */
export interface SendConfig {
  frames: number;
  lengths: number[];
  startPs: number;
  gapPs: number;
  /** single: one descriptor. chained: three. cut-header: the header lies in two. indirect: chained through a table. */
  shape: 'single' | 'chained' | 'cut-header' | 'indirect';
  /** unmapped: the frame's address is not mapped. short: only half a header is sent. */
  faults: { packet: number; kind: 'unmapped' | 'short' }[];
}

const HEADER_BYTES = 12;
const BURST = 32;

/** The transmit half of the test guest. */
export class GuestSender {
  readonly #context: CoreContext;
  readonly #ring: DriverQueue;
  readonly #base: number;
  readonly #buffersAt: number;
  readonly #strideBytes: number;
  readonly #config: SendConfig;
  readonly #segments = new SegmentList(8);
  readonly #used = new UsedBatch(64);
  readonly #free: number[] = [];
  #next = 0;

  constructor(
    context: CoreContext,
    ring: DriverQueue,
    base: number,
    layout: GuestLayout,
    config: { size: number; send: SendConfig },
  ) {
    this.#context = context;
    this.#ring = ring;
    this.#base = base;
    this.#buffersAt = layout.rings[1].buffers;
    this.#strideBytes = layout.bufferBytes;
    this.#config = config.send;
    for (let b = 0; b < config.size; b++) this.#free.push(b);
  }

  /** Moment of the next frame, Infinity after the last. */
  get duePs(): number {
    const { frames, startPs, gapPs } = this.#config;
    return this.#next < frames ? startPs + this.#next * gapPs : Number.POSITIVE_INFINITY;
  }

  /** True when everything was sent and given back. */
  get finished(): boolean {
    return this.#next === this.#config.frames && this.#ring.inFlight === 0;
  }

  /** Takes buffers back and adds what is due; true when frames were added. */
  run(): boolean {
    const count = this.#ring.popUsed(this.#used, 64);
    for (let i = 0; i < count; i++) this.#free.push(this.#used.token[i]);
    let added = 0;
    while (added < BURST && this.duePs <= this.#context.now() && this.#add()) added++;
    return added > 0;
  }

  #add(): boolean {
    const packet = this.#next;
    const buffer = this.#free[0];
    if (buffer === undefined) return false;
    const { lengths, faults } = this.#config;
    const length = lengths[packet % lengths.length];
    const offset = this.#buffersAt + buffer * this.#strideBytes;
    const at = this.#base + offset;
    this.#context.arena.u8.fill(0, at, at + HEADER_BYTES);
    this.#context.arena.u8.set(testFrame(packet, length), at + HEADER_BYTES);
    const fault = faults.find((one) => one.packet === packet)?.kind;
    const gpa = fault === 'unmapped' ? UNMAPPED_GPA : GPA_BASE + offset;
    const slot = this.#addBuffer(gpa, fault === 'short' ? HEADER_BYTES / 2 : HEADER_BYTES + length, buffer);
    if (slot < 0) return false;
    const end = this.#context.memory('vq');
    end.publisher.cover(at, HEADER_BYTES + length);
    end.setTag(1, slot, packet, this.duePs);
    this.#context.counter('frames.offered').value++;
    this.#free.shift();
    this.#next++;
    return true;
  }

  #addBuffer(gpa: number, bytes: number, buffer: number): number {
    const { shape } = this.#config;
    if (shape === 'single' || bytes <= HEADER_BYTES) return this.#ring.addOne(gpa, bytes, false, buffer);
    const segments = this.#segments;
    segments.clear();
    const cuts = shape === 'cut-header' ? [5, HEADER_BYTES + 3] : [HEADER_BYTES, HEADER_BYTES + 9];
    let from = 0;
    for (const to of [...cuts, bytes]) {
      segments.push(gpa + from, to - from, false);
      from = to;
    }
    return shape === 'indirect'
      ? this.#ring.addIndirect(segments, buffer)
      : this.#ring.addChain(segments, buffer);
  }
}
