import { drainEvent, eventFd, type Fd, type MappedArena, memfd, signalEvent } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import { initialBase, type RingAreas } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import {
  DirectPublisher,
  type DriverQueue,
  PackedDriver,
  type RingFormat,
  ringLayout,
  SplitDriver,
  UsedBatch,
} from '@vhostlab/virtqueue';
import type { RegionPlace, RingStart, WorkerCommand } from '../../src/control/commands.ts';

const SIZE = 128;
const HEADER_BYTES = 12;
const BUFFER_BYTES = 2048;
const RING_BYTES = 16_384;
const BUFFERS = 2 * RING_BYTES;
export const GUEST_BYTES = 2 ** 20;
const GPA = 0x4000_0000;

type Order = (command: WorkerCommand) => Promise<unknown>;

/** One queue pair of a guest on memory of its own, without a socket: it tells the worker itself what a session would. */
export class RingGuest {
  readonly file: Fd;
  readonly kicks: readonly [Fd, Fd] = [eventFd(), eventFd()];
  readonly calls: readonly [Fd, Fd] = [eventFd(), eventFd()];
  readonly #device: number;
  readonly #format: RingFormat;
  readonly #features: FeatureSet;
  readonly #order: Order;
  readonly #arena: Arena;
  readonly #offset: number;
  readonly #rings: readonly [DriverQueue, DriverQueue];
  readonly #used = new UsedBatch(SIZE);
  readonly #free: number[] = Array.from({ length: SIZE }, (_, i) => i);

  /** Its memory is mapped at `offset` of the arena, where its driver works. */
  constructor(
    device: number,
    format: RingFormat,
    place: { mapped: MappedArena; arena: Arena; offset: number },
    order: Order,
  ) {
    this.#device = device;
    this.#format = format;
    this.#order = order;
    this.#arena = place.arena;
    this.#offset = place.offset;
    this.file = memfd(`guest ${device}`, GUEST_BYTES);
    place.mapped.mapFile(place.offset, this.file, 0, GUEST_BYTES);
    const base = FeatureSet.of('VERSION_1', 'EVENT_IDX', 'INDIRECT_DESC', 'MRG_RXBUF');
    this.#features = format === 'packed' ? base.with('RING_PACKED') : base;
    this.#rings = [this.#driver(0), this.#driver(1)];
  }

  region(offset = this.#offset): RegionPlace {
    return { gpa: GPA, bytes: GUEST_BYTES, arenaOffset: offset };
  }

  /** Where ring `index` is when the guest's memory begins at `offset`. */
  areas(index: number, offset = this.#offset): RingAreas {
    const { desc, driver, device } = ringLayout(this.#format, SIZE, true);
    const at = offset + index * RING_BYTES;
    return { descriptor: at + desc.offset, driver: at + driver.offset, device: at + device.offset };
  }

  /** Features, memory and both rings, as new. */
  async start(part: Partial<RingStart> = {}): Promise<void> {
    const device = this.#device;
    await this.#order({ device, do: 'features', features: this.#features.toBigInt() });
    await this.#order({ device, do: 'memory', regions: [this.region()], rings: [] });
    for (const index of [0, 1]) {
      const refused = await this.#order({ device, do: 'start', ring: this.ring(index, part) });
      if (refused !== null) throw new Error(String(refused));
    }
    for (const buffer of this.#free.slice()) {
      this.#rings[0].addOne(this.#gpa(0, buffer), BUFFER_BYTES, true, buffer);
    }
    this.#publish(0);
  }

  ring(index: number, part: Partial<RingStart> = {}): RingStart {
    return {
      index,
      size: SIZE,
      format: this.#format,
      areas: this.areas(index),
      base: initialBase(this.#format),
      enabled: true,
      kick: this.kicks[index].number,
      call: this.calls[index].number,
      err: -1,
      usedLogGpa: null,
      ...part,
    };
  }

  /** Sends frames; all of them find room. */
  send(frames: readonly Uint8Array[]): void {
    const tx = this.#rings[1];
    tx.popUsed(this.#used, SIZE);
    for (let i = 0; i < this.#used.count; i++) this.#free.push(this.#used.token[i]);
    for (const frame of frames) {
      const buffer = this.#free.shift();
      if (buffer === undefined) throw new Error('the transmit ring is full');
      const at = this.#offset + this.#gpa(1, buffer) - GPA;
      this.#arena.u8.fill(0, at, at + HEADER_BYTES);
      this.#arena.u8.set(frame, at + HEADER_BYTES);
      tx.addOne(this.#gpa(1, buffer), HEADER_BYTES + frame.length, false, buffer);
    }
    this.#publish(1);
  }

  /** Frames sent whose buffers came back. */
  get sent(): boolean {
    this.#rings[1].popUsed(this.#used, SIZE);
    for (let i = 0; i < this.#used.count; i++) this.#free.push(this.#used.token[i]);
    return this.#rings[1].inFlight === 0;
  }

  /** Frames that have come since the last time; their buffers are posted again. */
  receive(): Uint8Array[] {
    const rx = this.#rings[0];
    rx.popUsed(this.#used, SIZE);
    const frames = Array.from({ length: this.#used.count }, (_, i) => {
      const at = this.#offset + this.#gpa(0, this.#used.token[i]) - GPA;
      return this.#arena.u8.slice(at + HEADER_BYTES, at + this.#used.length[i]);
    });
    for (let i = 0; i < frames.length; i++) {
      const buffer = this.#used.token[i];
      rx.addOne(this.#gpa(0, buffer), BUFFER_BYTES, true, buffer);
    }
    if (frames.length > 0) this.#publish(0);
    return frames;
  }

  /** True when the device has called for ring `index` since the last time. */
  called(index: number): boolean {
    return drainEvent(this.calls[index].number);
  }

  /** Publishes an available index far beyond what the ring holds (split rings). */
  breakRing(index: number): void {
    Atomics.store(this.#arena.u16, (this.areas(index).driver + 2) >>> 1, 0x7777);
    signalEvent(this.kicks[index].number);
  }

  close(): void {
    for (const fd of [this.file, ...this.kicks, ...this.calls]) fd.close();
  }

  #gpa(index: number, buffer: number): number {
    return GPA + BUFFERS + (index * SIZE + buffer) * BUFFER_BYTES;
  }

  #driver(index: number): DriverQueue {
    const { descriptor, driver, device } = this.areas(index);
    const place = {
      size: SIZE,
      index,
      descOffset: descriptor,
      driverOffset: driver,
      deviceOffset: device,
      features: { eventIdx: true, indirect: false, inOrder: false },
    };
    const publisher = new DirectPublisher(this.#arena);
    return this.#format === 'packed'
      ? new PackedDriver(this.#arena, publisher, place)
      : new SplitDriver(this.#arena, publisher, place);
  }

  #publish(index: number): void {
    this.#rings[index].publish();
    if (this.#rings[index].shouldKick()) signalEvent(this.kicks[index].number);
  }
}
