import { eventFd, type Fd, type MappedArena, memfd, reserveArena, signalEvent } from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import type { RingConfig, SharedRegion } from '@vhostlab/vhost-user';
import {
  DirectPublisher,
  type DriverQueue,
  PackedDriver,
  type RingFormat,
  SplitDriver,
  UsedBatch,
  violationName,
} from '@vhostlab/virtqueue';
import type { DriverFaults } from './guest-faults.ts';

const MEMORY_BYTES = 2 ** 21;
const QUEUE_SIZE = 64;
/** Frames under way at once: some ids of the transmit queue are always the driver's. */
const SENT_AT_ONCE = 48;
const HEADER_BYTES = 12;
const FRAME_BYTES = 72;
const USER_BASE = 0x7f00_0000_0000n;
const BUFFERS = 65_536;
const BUFFER_BYTES = 2048;
/** Positions at which rings begin; a packed ring's wrap counters are 1 (virtio 1.3, 2.8.1). */
const BASES = { split: 0, packed: 0x80008000 } as const;

/** Memory and one queue pair of a guest, with the driver of this project. Correct, unless `faults` says otherwise. */
export class GuestRings {
  readonly #file: Fd = memfd('guest', MEMORY_BYTES);
  readonly #mapped: MappedArena = reserveArena(MEMORY_BYTES);
  readonly #arena: Arena;
  readonly #kicks = [eventFd(), eventFd()];
  readonly #used = new UsedBatch(QUEUE_SIZE);
  readonly #faults: DriverFaults;
  readonly #die: () => void;
  #queues: readonly DriverQueue[] = [];

  /** `die`: ends the process, as a crash would end it. */
  constructor(faults: DriverFaults, die: () => void) {
    this.#mapped.mapFile(0, this.#file, 0, MEMORY_BYTES);
    this.#arena = new Arena(this.#mapped.buffer);
    this.#faults = faults;
    this.#die = die;
  }

  get memory(): SharedRegion {
    const memorySize = BigInt(MEMORY_BYTES);
    return {
      fd: this.#file,
      region: { guestPhysAddr: 0n, memorySize, userspaceAddr: USER_BASE, mmapOffset: 0n },
    };
  }

  /** Makes both rings anew; what a back end is told of them. */
  reset(format: RingFormat): readonly RingConfig[] {
    this.#arena.u8.fill(0, 0, BUFFERS);
    this.#queues = [0, 1].map((index) => this.#driver(format, index));
    return this.#queues.map(({ index }) => {
      const { descOffset, driverOffset, deviceOffset } = areasOf(index);
      return {
        index,
        size: QUEUE_SIZE,
        base: BASES[format],
        desc: USER_BASE + BigInt(descOffset),
        avail: USER_BASE + BigInt(driverOffset),
        used: USER_BASE + BigInt(deviceOffset),
        usedLogAddress: null,
        kick: this.#kicks[index],
        call: null,
        err: null,
      };
    });
  }

  /** Offers every receive buffer; from now on `turn` may be called. */
  begin(): void {
    const [receive] = this.#queues;
    for (let i = 0; i < QUEUE_SIZE; i++) receive.addOne(bufferAt(i), BUFFER_BYTES, true, i);
    this.#publish(receive);
  }

  /** Takes what was used, offers it again, and sends. */
  turn(): void {
    const [receive, transmit] = this.#queues;
    this.#receive(receive);
    transmit.popUsed(this.#used, QUEUE_SIZE);
    while (transmit.inFlight < SENT_AT_ONCE && transmit.violation === 0) {
      transmit.addOne(bufferAt(QUEUE_SIZE), FRAME_BYTES, false, 0);
    }
    this.#publish(transmit);
    for (const { violation } of [receive, transmit]) {
      if (violation !== 0 && violationName(violation) === this.#faults.diesOf) this.#die();
    }
  }

  close(): void {
    for (const fd of [this.#file, ...this.#kicks]) fd.close();
    this.#mapped.release();
  }

  #receive(queue: DriverQueue): void {
    const used = this.#used;
    const count = queue.popUsed(used, QUEUE_SIZE);
    for (let i = 0; i < count; i++) {
      if (used.length[i] < HEADER_BYTES && this.#faults.diesOfShortFrames === true) this.#die();
      queue.addOne(bufferAt(used.token[i]), BUFFER_BYTES, true, used.token[i]);
    }
    if (count > 0) this.#publish(queue);
  }

  #driver(format: RingFormat, index: number): DriverQueue {
    const features = { eventIdx: false, indirect: false, inOrder: false };
    const place = { size: QUEUE_SIZE, index, ...areasOf(index), features };
    const publisher = new DirectPublisher(this.#arena);
    const queue =
      format === 'split'
        ? new SplitDriver(this.#arena, publisher, place)
        : new PackedDriver(this.#arena, publisher, place);
    queue.disableInterrupts();
    return queue;
  }

  #publish(queue: DriverQueue): void {
    queue.publish();
    if (queue.shouldKick()) signalEvent(this.#kicks[queue.index].number);
  }
}

/** Where the rings of a queue lie in the memory. */
function areasOf(index: number): { descOffset: number; driverOffset: number; deviceOffset: number } {
  const at = 16_384 * index;
  return { descOffset: at, driverOffset: at + 4096, deviceOffset: at + 8192 };
}

function bufferAt(place: number): number {
  return BUFFERS + place * BUFFER_BYTES;
}
