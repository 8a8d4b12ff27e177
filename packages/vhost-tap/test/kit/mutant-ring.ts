import { drainEvent, type Reactor, setNonBlocking, signalEvent } from '@vhostlab/host';
import type { AddressSpace, Arena } from '@vhostlab/memory';
import { decodeBase, encodeBase, F_EVENT_IDX, type RingBase, type RingSetup } from '@vhostlab/vhost-user';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  PackedDevice,
  SplitDevice,
} from '@vhostlab/virtqueue';
import { FaultyPublisher } from './faulty-publisher.ts';
import type { MutantOptions } from './mutant-options.ts';

const HEADER_BYTES = 12;
const INDIRECT_DESC = 1n << 28n;
const IN_ORDER = 1n << 35n;

/** A ring of the mutant: the rings of this project, with a fault in how they are published. */
export class MutantRing {
  readonly index: number;
  call: number;
  readonly #arena: Arena;
  readonly #setup: RingSetup;
  readonly #queue: DeviceQueue;
  readonly #batch = new ChainBatch(1, 1024);
  readonly #unwatch: () => void;
  readonly #options: MutantOptions;
  #received = 0;

  constructor(
    setup: RingSetup,
    arena: Arena,
    space: AddressSpace,
    features: bigint,
    options: MutantOptions,
    reactor: Reactor,
    onKick: () => void,
  ) {
    this.index = setup.index;
    this.#setup = setup;
    this.#arena = arena;
    this.#options = options;
    this.call = setup.call?.number ?? -1;
    const { areas, size, index, format } = setup;
    const { fault } = options;
    const isTransmit = index % 2 === 1;
    const publisher =
      isTransmit && fault !== undefined && fault !== 'num-buffers'
        ? new FaultyPublisher(arena, fault, format, areas, size)
        : new DirectPublisher(arena);
    const place = {
      size,
      index,
      descOffset: areas.descriptor,
      driverOffset: areas.driver,
      deviceOffset: areas.device,
      features: {
        eventIdx: (features & F_EVENT_IDX) !== 0n,
        indirect: (features & INDIRECT_DESC) !== 0n,
        inOrder: (features & IN_ORDER) !== 0n,
      },
    };
    const Device = format === 'split' ? SplitDevice : PackedDevice;
    this.#queue = new Device(arena, publisher, space, place);
    this.#queue.restoreBase(encodeBase(setup.base));
    const { kick } = setup;
    if (kick === null) this.#unwatch = () => {};
    else {
      setNonBlocking(kick);
      this.#unwatch = reactor.watch(kick, () => {
        drainEvent(kick.number);
        onKick();
      });
    }
  }

  stop(): RingBase {
    this.#unwatch();
    return decodeBase(this.#setup.format, this.#queue.saveBase())!;
  }

  /** The next frame of a transmit queue, its buffer given back; null: there is none. */
  take(): Uint8Array | null {
    if (this.#queue.pop(this.#batch, 1) === 0) return null;
    const { offset, length, segmentCount, slot, status } = this.#batch;
    const parts: number[] = [];
    if (status[0] !== 0) {
      this.#use(slot[0]!, 0);
      return new Uint8Array();
    }
    for (let i = 0; i < segmentCount[0]!; i++) {
      parts.push(...this.#arena.u8.subarray(offset[i], offset[i]! + length[i]!));
    }
    this.#use(slot[0]!, 0);
    return Uint8Array.from(parts.slice(HEADER_BYTES));
  }

  /** Puts a frame into a receive queue, where there is a buffer. */
  put(frame: Uint8Array): void {
    if (this.#queue.pop(this.#batch, 1) === 0) return;
    const image = new Uint8Array(HEADER_BYTES + frame.length);
    const isFaulty = this.#options.fault === 'num-buffers' && ++this.#received % 4 === 0;
    image[10] = isFaulty ? 77 : 1;
    image.set(frame, HEADER_BYTES);
    const { offset, length, segmentCount, slot, status, writableBytes } = this.#batch;
    if (status[0] !== 0 || writableBytes[0]! < image.length) {
      this.#use(slot[0]!, 0);
      return;
    }
    let at = 0;
    for (let i = 0; i < segmentCount[0]! && at < image.length; i++) {
      const part = image.subarray(at, at + length[i]!);
      this.#arena.u8.set(part, offset[i]!);
      at += part.length;
    }
    this.#use(slot[0]!, at);
  }

  #use(slot: number, length: number): void {
    this.#queue.pushUsed(slot, length);
    this.#queue.publishUsed();
    if (this.#queue.shouldCall() && this.call >= 0) signalEvent(this.call);
  }
}
