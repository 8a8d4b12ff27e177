import { AddressSpace, Arena, PERMISSION_RW, type Publisher } from '@vhostlab/memory';
import { type FeatureName, FeatureSet } from '@vhostlab/virtio-net';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  type DriverQueue,
  PackedDevice,
  PackedDriver,
  type RingFormat,
  ringLayout,
  SegmentList,
  SplitDevice,
  SplitDriver,
  UsedBatch,
} from '@vhostlab/virtqueue';
import type { Direction, RingToObserve } from '../../src/index.ts';

export interface TrafficOptions {
  readonly format: RingFormat;
  readonly size: number;
  readonly direction: Direction;
  readonly features: readonly FeatureName[];
  /** Buffers of several descriptors too, and (with INDIRECT_DESC) indirect ones. */
  readonly chains: boolean;
  /** The device completes buffers in any order. */
  readonly shuffled: boolean;
  /** Largest burst of each step. */
  readonly burst: number;
  readonly seed: number;
}

/** Where the ring begins in the arena, and the guest memory that everything lies in. */
export const RING = 4096;
export const GUEST = 0x1_0000_0000;
export const ARENA_BYTES = 4 << 20;
const TABLE_ENTRIES = 8;
const TABLES = 1 << 20;
const BUFFERS = 2 << 20;
const BUFFER_BYTES = 4096;

/** A small generator of numbers, the same for the same seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The ring of such traffic, as an observer of the same arena sees it. */
export function ringOf(options: TrafficOptions): RingToObserve {
  const { format, size, direction } = options;
  const layout = ringLayout(format, size, options.features.includes('EVENT_IDX'));
  return {
    queue: direction === 'rx' ? 0 : 1,
    format,
    size,
    descOffset: RING + layout.desc.offset,
    driverOffset: RING + layout.driver.offset,
    deviceOffset: RING + layout.device.offset,
    direction,
    features: FeatureSet.fromNames(options.features),
    base: format === 'split' ? 0 : 0x8000,
    knowsAllMemory: true,
  };
}

/** The guest memory of such traffic: the whole arena from GUEST on. */
export function memoryOf(arena: Arena): AddressSpace {
  const space = new AddressSpace(arena);
  space.map(GUEST, arena.sizeBytes, 0, PERMISSION_RW);
  return space;
}

/**
 * A correct driver and a correct device on one ring, in small random steps. The driver overwrites what it got back
 * (buffers, tables, free descriptors) at once, as it may.
 */
export class Traffic {
  readonly arena: Arena;
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  /** Buffers that went the whole way. */
  done = 0;
  readonly #options: TrafficOptions;
  readonly #random: () => number;
  readonly #ring: RingToObserve;
  readonly #used = new UsedBatch(64);
  readonly #chains = new ChainBatch(64, 512);
  readonly #list = new SegmentList(TABLE_ENTRIES);
  /** Slots that the device has, and how many bytes it may write into each. */
  readonly #taken: number[] = [];
  readonly #room = new Map<number, number>();
  readonly #freeBuffers: number[] = [];
  readonly #buffersOf = new Map<number, number[]>();
  #token = 0;

  /** `publisher`: a test's own one, to be called in the middle of an operation. */
  constructor(buffer: ArrayBufferLike, options: TrafficOptions, publisher?: Publisher) {
    this.arena = new Arena(buffer);
    this.#options = options;
    this.#random = generator(options.seed);
    this.#ring = ringOf(options);
    const { features } = this.#ring;
    const place = {
      ...this.#ring,
      index: this.#ring.queue,
      features: {
        eventIdx: features.has('EVENT_IDX'),
        indirect: features.has('INDIRECT_DESC'),
        inOrder: features.has('IN_ORDER'),
      },
    };
    const tables = { offset: TABLES, address: GUEST + TABLES, entries: TABLE_ENTRIES };
    const publish = publisher ?? new DirectPublisher(this.arena);
    const memory = memoryOf(this.arena);
    const split = options.format === 'split';
    this.driver = split
      ? new SplitDriver(this.arena, publish, { ...place, tables })
      : new PackedDriver(this.arena, publish, { ...place, tables });
    this.device = split
      ? new SplitDevice(this.arena, publish, memory, place)
      : new PackedDevice(this.arena, publish, memory, place);
    const buffers = (ARENA_BYTES - BUFFERS) / BUFFER_BYTES;
    for (let i = 0; i < buffers; i++) this.#freeBuffers.push(BUFFERS + i * BUFFER_BYTES);
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  /** One random step of driver or device. */
  step(): void {
    const what = this.#below(8);
    if (what <= 1) this.#add();
    else if (what === 2) {
      this.driver.publish();
      this.driver.shouldKick();
    } else if (what <= 4) this.#pop();
    else if (what === 5) this.#complete();
    else if (what === 6) this.#reap();
    else this.#suppress();
  }

  #add(): void {
    for (let left = 1 + this.#below(this.#options.burst); left > 0; left--) {
      const kinds = this.#options.chains ? (this.#ring.features.has('INDIRECT_DESC') ? 4 : 3) : 1;
      const kind = this.#below(kinds);
      const segments = kind === 0 ? 1 : 1 + this.#below(Math.min(4, this.#options.size));
      if (this.#freeBuffers.length < segments) return;
      const buffers = this.#fill(segments);
      const token = this.#token++;
      let slot = -1;
      if (kind === 0) {
        const { address, length } = this.#list;
        slot = this.driver.addOne(address[0], length[0], this.#options.direction === 'rx', token);
      } else if (kind === 3) slot = this.driver.addIndirect(this.#list, token);
      else if (segments <= this.driver.freeSlots) slot = this.driver.addChain(this.#list, token);
      if (slot < 0) {
        this.#freeBuffers.push(...buffers);
        return;
      }
      this.#buffersOf.set(token, buffers);
    }
  }

  /** A frame or a receive buffer of so many segments; the header is all zero. */
  #fill(segments: number): number[] {
    const buffers: number[] = [];
    const isWritable = this.#options.direction === 'rx';
    this.#list.clear();
    for (let i = 0; i < segments; i++) {
      const at = this.#freeBuffers.splice(this.#below(this.#freeBuffers.length), 1)[0];
      buffers.push(at);
      this.arena.u8.fill(0, at, at + 64);
      this.#list.push(GUEST + at, 26 + this.#below(1500), isWritable);
    }
    return buffers;
  }

  #pop(): void {
    const count = this.device.pop(this.#chains, 1 + this.#below(this.#options.burst));
    for (let c = 0; c < count; c++) {
      this.#taken.push(this.#chains.slot[c]);
      this.#room.set(this.#chains.slot[c], this.#chains.writableBytes[c]);
    }
  }

  #complete(): void {
    const share = this.#random();
    for (let left = this.#below(this.#options.burst + 1); left > 0 && this.#taken.length > 0; left--) {
      const at = this.#options.shuffled ? this.#below(this.#taken.length) : 0;
      const [slot] = this.#taken.splice(at, 1);
      const room = this.#room.get(slot) ?? 0;
      this.device.pushUsed(slot, share < 0.5 ? room : Math.floor(room * share));
    }
    this.device.publishUsed();
    this.device.shouldCall();
  }

  #reap(): void {
    const count = this.driver.popUsed(this.#used, 1 + this.#below(this.#options.burst));
    for (let i = 0; i < count; i++) this.#scribble(this.#used.token[i], this.#used.slot[i]);
    this.done += count;
  }

  /** The driver may do what it likes with what is its own again. */
  #scribble(token: number, slot: number): void {
    const { arena } = this;
    for (const at of this.#buffersOf.get(token) ?? []) {
      arena.u8.fill(0xff, at, at + 64);
      this.#freeBuffers.push(at);
    }
    this.#buffersOf.delete(token);
    const table = TABLES + slot * TABLE_ENTRIES * 16;
    arena.u8.fill(0xff, table, table + TABLE_ENTRIES * 16);
    if (this.#options.format === 'packed') return;
    const desc = this.#ring.descOffset + 16 * slot;
    arena.u8.fill(0xff, desc, desc + 16);
  }

  #suppress(): void {
    const what = this.#below(5);
    if (what === 0) this.driver.enableInterrupts();
    else if (what === 1) this.driver.disableInterrupts();
    else if (what === 2) this.driver.enableInterruptsAfter(3);
    else if (what === 3) this.device.enableNotifications();
    else this.device.disableNotifications();
  }
}

/** Calls `look` before and after every published word, sometimes. */
export class LookingPublisher implements Publisher {
  readonly #inner: Publisher;
  readonly #random: () => number;
  readonly #share: number;
  look: () => void = () => {};

  constructor(arena: Arena, share: number, seed: number) {
    this.#inner = new DirectPublisher(arena);
    this.#share = share;
    this.#random = generator(seed ^ 0x5eed);
  }

  cover(offset: number, length: number): void {
    if (this.#random() < this.#share) this.look();
    this.#inner.cover(offset, length);
  }

  u16(offset: number, value: number): void {
    if (this.#random() < this.#share) this.look();
    this.#inner.u16(offset, value);
    if (this.#random() < this.#share) this.look();
  }

  u32(offset: number, value: number): void {
    if (this.#random() < this.#share) this.look();
    this.#inner.u32(offset, value);
    if (this.#random() < this.#share) this.look();
  }
}
