import { type Arena, createArena } from '@vhostlab/memory';
import { type FeatureName, FeatureSet, headerBytes } from '@vhostlab/virtio-net';
import {
  DirectPublisher,
  PackedDriver,
  type RingFormat,
  type RingPlace,
  ringLayout,
  SplitDriver,
} from '@vhostlab/virtqueue';
import { FrameBatch } from '../../src/frames/frame-batch.ts';
import { OneCopy } from '../../src/path/one-copy.ts';
import { ReceivePath } from '../../src/path/receive-path.ts';
import { TransmitPath } from '../../src/path/transmit-path.ts';
import { GuestMemory } from '../../src/rings/guest-memory.ts';
import { RECEIVE_SCRATCH_BYTES, ReceiveRing } from '../../src/rings/receive-ring.ts';
import { Ring } from '../../src/rings/ring.ts';
import { TransmitRing } from '../../src/rings/transmit-ring.ts';
import { QUEUE_COUNTERS, type QueueCounter } from '../../src/stats/queue-counters.ts';

export const QUEUE_SIZE = 64;
export const FRAME_BYTES = 4000;
/** Two regions of guest memory that lie apart in the arena, the second one across 4 GiB. */
export const REGION_BYTES = 0x6_0000;
export const LOW = 0x10_0000;
export const HIGH = 2 ** 32 - 0x1_0000;
const LOW_AT = 0x4_0000;
const HIGH_AT = 0xb_0000;
/** Guest address of the indirect tables of both queues; in the arena they are in the low region. */
const TABLES = LOW + REGION_BYTES - 2 * QUEUE_SIZE * 64;
/** From here on the arena is the device's own. */
const OWN_AT = 0x12_0000;
const ARENA_BYTES = 0x18_0000;
export const OWN_END = ARENA_BYTES;

export interface RigOptions {
  readonly format: RingFormat;
  readonly features: readonly FeatureName[];
}

const NO_MISS = (): void => undefined;

/** A guest with one queue pair in the arena of its device, played by this thread. */
export class PathRig {
  readonly arena: Arena;
  readonly features: FeatureSet;
  readonly header: number;
  readonly memory: GuestMemory;
  readonly rx: SplitDriver | PackedDriver;
  readonly tx: SplitDriver | PackedDriver;
  readonly places: readonly RingPlace[];
  readonly receive: ReceivePath;
  readonly transmit: TransmitPath;
  readonly batch: FrameBatch;
  /** From here to the end of the arena nothing is ever written. */
  readonly quietAt: number;
  readonly #counters = [0, 1].map(() => new Float64Array(QUEUE_COUNTERS.length));
  readonly #format: RingFormat;

  constructor({ format, features }: RigOptions) {
    const arena = createArena(ARENA_BYTES);
    this.arena = arena;
    this.#format = format;
    const packed: FeatureName[] = format === 'packed' ? ['RING_PACKED'] : [];
    this.features = FeatureSet.of('VERSION_1', ...packed, ...features);
    this.header = headerBytes(this.features);
    this.memory = new GuestMemory(arena);
    this.memory.setRegions([
      { gpa: LOW, bytes: REGION_BYTES, arenaOffset: LOW_AT },
      { gpa: HIGH, bytes: REGION_BYTES, arenaOffset: HIGH_AT },
    ]);
    this.places = [0, 1].map((index) => this.#place(index));
    [this.rx, this.tx] = this.places.map((place, index) => {
      const address = TABLES + index * QUEUE_SIZE * 64;
      const tables = { address, offset: this.placeOf(address), entries: 4 };
      const publisher = new DirectPublisher(arena);
      return format === 'split'
        ? new SplitDriver(arena, publisher, { ...place, tables })
        : new PackedDriver(arena, publisher, { ...place, tables });
    });
    const own = arena.within(OWN_AT, ARENA_BYTES - OWN_AT);
    this.batch = new FrameBatch(own, FRAME_BYTES);
    const scratch = own.alloc(RECEIVE_SCRATCH_BYTES);
    this.quietAt = scratch + RECEIVE_SCRATCH_BYTES;
    const receive = new ReceiveRing(this.#ring(0), this.features, arena, scratch, NO_MISS);
    this.receive = new ReceivePath(receive, this.features, arena);
    const transmit = new TransmitRing(this.#ring(1), this.features, arena, scratch, NO_MISS);
    this.transmit = new TransmitPath(transmit, this.features, arena, FRAME_BYTES, 0);
  }

  oneCopy(swaps = false): OneCopy {
    return new OneCopy(this.arena, this.transmit, this.receive, swaps);
  }

  /** Where a guest address lies in the arena. */
  placeOf(address: number): number {
    return address >= HIGH ? HIGH_AT + address - HIGH : LOW_AT + address - LOW;
  }

  /** A counter of the receiveq (0) or the transmitq (1). */
  counter(queue: number, name: QueueCounter): number {
    const at = QUEUE_COUNTERS.findIndex(([each]) => each === name);
    return this.#counters[queue][at];
  }

  /** The drops of a queue that are not 0, by name. */
  drops(queue: number): Record<string, number> {
    const names = QUEUE_COUNTERS.map(([name]) => name).filter((name) => name.startsWith('drop_'));
    return Object.fromEntries(names.map((name) => [name, this.counter(queue, name)]).filter(([, n]) => n));
  }

  /** Frame `i` of the batch. */
  frame(i: number): Buffer {
    const at = this.batch.offset[i];
    return Buffer.from(this.arena.u8.slice(at, at + this.batch.length[i]));
  }

  #place(index: number): RingPlace {
    const eventIdx = this.features.has('EVENT_IDX');
    const layout = ringLayout(this.#format, QUEUE_SIZE, eventIdx);
    const at = 0x1000 + index * 0x2000;
    return {
      size: QUEUE_SIZE,
      index,
      descOffset: at + layout.desc.offset,
      driverOffset: at + layout.driver.offset,
      deviceOffset: at + layout.device.offset,
      features: {
        eventIdx,
        indirect: this.features.has('INDIRECT_DESC'),
        inOrder: this.features.has('IN_ORDER'),
      },
    };
  }

  #ring(index: number): Ring {
    const { descOffset, driverOffset, deviceOffset } = this.places[index];
    const areas = { descriptor: descOffset, driver: driverOffset, device: deviceOffset };
    const base =
      this.#format === 'split'
        ? ({ format: 'split', lastAvail: 0 } as const)
        : ({ format: 'packed', avail: 0, availWrap: true, used: 0, usedWrap: true } as const);
    const numbers = { kick: -1, call: -1, err: -1, usedLogGpa: null };
    const start = { index, size: QUEUE_SIZE, format: this.#format, areas, base, enabled: true, ...numbers };
    const ring = Ring.start(start, this.features, this.arena, this.memory, this.#counters[index]);
    if (typeof ring === 'string') throw new Error(ring);
    return ring;
  }
}

/** Every ring format with and without VIRTIO_F_IN_ORDER. */
export const KINDS: readonly (readonly [string, RigOptions])[] = (['split', 'packed'] as const).flatMap(
  (format) => [
    [format, { format, features: ['INDIRECT_DESC'] }] as const,
    [`${format}, IN_ORDER`, { format, features: ['INDIRECT_DESC', 'IN_ORDER'] }] as const,
  ],
);

/** `bytes` bytes that tell frame `number` and their places apart. */
export function pattern(number: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) buffer[i] = number * 31 + i * 7 + (i >> 8);
  return buffer;
}
