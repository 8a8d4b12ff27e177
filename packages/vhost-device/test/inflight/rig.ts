import { AddressSpace, type Arena, createArena, PERMISSION_RW } from '@vhostlab/memory';
import {
  DirectPublisher,
  PackedDriver,
  type RingPlace,
  ringLayout,
  SegmentList,
  SplitDriver,
  UsedBatch,
} from '@vhostlab/virtqueue';

export const SIZE = 8;
/** Arena offset of the queue's part of the region. */
export const PART = 0x4000;
const RING = 0x1000;
const BUFFERS = 0x8000;

/** A driver and memory around one ring of eight descriptors, its region for buffers in flight behind. */
export class InflightRig {
  readonly arena: Arena = createArena(0x1_0000);
  readonly space = new AddressSpace(this.arena);
  readonly place: RingPlace;
  readonly driver: SplitDriver | PackedDriver;
  readonly #used = new UsedBatch(SIZE);
  readonly #segments = new SegmentList(SIZE);

  constructor(format: 'split' | 'packed', inOrder = false) {
    this.space.map(0, 0x1_0000, 0, PERMISSION_RW);
    const layout = ringLayout(format, SIZE, false);
    this.place = {
      size: SIZE,
      index: 0,
      descOffset: RING + layout.desc.offset,
      driverOffset: RING + layout.driver.offset,
      deviceOffset: RING + layout.device.offset,
      features: { eventIdx: false, indirect: false, inOrder },
    };
    const Driver = format === 'packed' ? PackedDriver : SplitDriver;
    this.driver = new Driver(this.arena, new DirectPublisher(this.arena), this.place);
    this.driver.reset();
  }

  /** Makes a buffer of `parts` descriptors available, whose bytes are `bytesOf(token)` in all. */
  add(token: number, parts: number): void {
    this.#segments.clear();
    for (let i = 0; i < parts; i++) {
      const bytes = i === 0 ? bytesOf(token) - parts + 1 : 1;
      this.#segments.push(BUFFERS + token * 16 + i, bytes, false);
    }
    this.driver.addChain(this.#segments, token);
    this.driver.publish();
  }

  /** Tokens that the device has given back since the last time, in its order. */
  takeUsed(): number[] {
    const count = this.driver.popUsed(this.#used, SIZE);
    return Array.from(this.#used.token.subarray(0, count));
  }

  /** 16-bit word of the region. */
  word(at: number): number {
    return this.arena.u16[(PART + at) >>> 1];
  }

  setWord(at: number, value: number): void {
    this.arena.u16[(PART + at) >>> 1] = value;
  }

  byte(at: number): number {
    return this.arena.u8[PART + at];
  }
}

/** Bytes of the buffer with this token: no two of a ring have as many. */
export function bytesOf(token: number): number {
  return 40 + token;
}
