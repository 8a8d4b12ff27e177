import { drainEvent, type Fd } from '@vhostlab/host';
import { PROTOCOL_F } from '@vhostlab/vhost-user';
import type { RingFormat } from '@vhostlab/virtqueue';
import { fail } from '../check-ended.ts';
import type { Limits } from '../limits.ts';
import { accepted, type Reaction } from '../wire/reaction.ts';
import type { FrontLink } from './front-link.ts';
import { type GuestMemory, LOW_BYTES, LOW_GPA } from './guest-memory.ts';
import { RawPacked } from './raw-packed.ts';
import { type RawQueue, ringAddress, type Segment } from './raw-queue.ts';
import { RawSplit } from './raw-split.ts';
import { until } from './until.ts';

export const RING_SIZE = 64;
/** Bytes of the virtio-net header with VIRTIO_F_VERSION_1. */
export const NET_HEADER_BYTES = 12;
/** Buffers that wait in a receive queue. */
const RX_BUFFERS = 8;
const RX_BUFFER_BYTES = 2048;
/** Distance of one ring from the next, and of its three areas. */
const RING_STRIDE = 0x4000;
const AREA_STRIDE = 0x1000;
const FIRST_BUFFER = LOW_GPA + 0x20000;
/** Bytes between two buffers, which nobody may write. */
const GAP = 64;

const STATUS_DRIVER = 1 | 2 | 8;
const STATUS_DRIVER_OK = 4;
const STATUS_NEEDS_RESET = 64;

export interface RigOptions {
  readonly format: RingFormat;
  /** Queue pairs that are set up; 1 or 2. */
  readonly pairs: number;
  /** False leaves the receive queues without buffers. */
  readonly fillRx?: boolean;
}

/** A running device with the rings of its guest, both written by a check. */
export class Rig {
  readonly link: FrontLink;
  readonly memory: GuestMemory;
  readonly queues: readonly RawQueue[];
  readonly #limits: Limits;
  readonly #hasStatus: boolean;
  #next = FIRST_BUFFER;
  #told = '';
  /** Guest-physical addresses of good receive buffers, by ring and id. */
  readonly #received = new Map<RawQueue, Map<number, number>>();

  /** `events`: makes an eventfd that lives as long as the check. */
  constructor(link: FrontLink, memory: GuestMemory, options: RigOptions, limits: Limits, event: () => Fd) {
    this.link = link;
    this.memory = memory;
    this.#limits = limits;
    this.#hasStatus = (link.protocol & PROTOCOL_F.STATUS) !== 0n;
    this.queues = Array.from({ length: 2 * options.pairs }, (_, index) => {
      const desc = LOW_GPA + index * RING_STRIDE;
      const at = { desc, driver: desc + AREA_STRIDE, device: desc + 2 * AREA_STRIDE };
      const events = { kick: event(), call: event(), err: event() };
      return options.format === 'split'
        ? new RawSplit(memory, index, RING_SIZE, at, events)
        : new RawPacked(memory, index, RING_SIZE, at, events);
    });
    if (options.fillRx === false) return;
    for (let pair = 0; pair < options.pairs; pair++) this.fillRx(pair);
  }

  rx(pair = 0): RawQueue {
    return this.queues[2 * pair];
  }

  tx(pair = 0): RawQueue {
    return this.queues[2 * pair + 1];
  }

  /** Offers good buffers in a receive queue. */
  fillRx(pair: number, count = RX_BUFFERS): void {
    for (let i = 0; i < count; i++) this.#offerRx(this.rx(pair), this.allocate(RX_BUFFER_BYTES));
  }

  #offerRx(queue: RawQueue, address: number): void {
    const id = queue.offer([{ address, bytes: RX_BUFFER_BYTES, writable: true }]);
    let addresses = this.#received.get(queue);
    if (addresses === undefined) this.#received.set(queue, (addresses = new Map()));
    addresses.set(id, address);
  }

  /** Offers used receive buffers again: a back end may wait for room before it takes more frames to send back. */
  #restock(): void {
    for (const [queue, addresses] of this.#received) {
      const used = queue.collect();
      for (const { id } of used) {
        const address = addresses.get(id);
        if (address !== undefined) this.#offerRx(queue, address);
      }
      if (used.length > 0) queue.kick();
    }
  }

  /** Guest-physical address of `bytes` that nothing else uses, with canaries behind them. */
  allocate(bytes: number, align = 16): number {
    const gpa = Math.ceil(this.#next / align) * align;
    this.#next = gpa + bytes + GAP;
    if (this.#next > LOW_GPA + LOW_BYTES) throw new RangeError('guest memory is full');
    return gpa;
  }

  /** A frame in guest memory as the device reads it: a header of zeros and a broadcast frame of `frameBytes`. */
  frame(frameBytes = 60): Segment {
    const bytes = NET_HEADER_BYTES + frameBytes;
    const address = this.allocate(bytes);
    this.memory.write(address, frameImage(frameBytes));
    return { address, bytes, writable: false };
  }

  /** Sets the device up with these rings, as front ends do; ends the check when it refuses. */
  async start(): Promise<void> {
    const { link, memory, queues } = this;
    for (const { index, events } of queues) {
      await link.must({ request: 'SET_VRING_CALL', payload: vringFd(index), fds: [events.call] });
      await link.must({ request: 'SET_VRING_ERR', payload: vringFd(index), fds: [events.err] });
    }
    await link.must({ request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds });
    if (this.#hasStatus) await this.setStatus(STATUS_DRIVER);
    for (const queue of queues) await this.startRing(queue);
    for (const { index } of queues) await this.enable(index);
    if (this.#hasStatus) await this.setStatus(STATUS_DRIVER | STATUS_DRIVER_OK);
    this.memory.remember();
  }

  /** Size, base, addresses and kick of one ring. */
  async startRing(queue: RawQueue): Promise<void> {
    const { link } = this;
    const { index, size, base, events } = queue;
    await link.must({ request: 'SET_VRING_NUM', payload: { kind: 'state', index, num: size } });
    await link.must({ request: 'SET_VRING_BASE', payload: { kind: 'state', index, num: base } });
    await link.must({ request: 'SET_VRING_ADDR', payload: ringAddress(queue) });
    await link.must({ request: 'SET_VRING_KICK', payload: vringFd(index), fds: [events.kick] });
  }

  /** Stops a ring and starts it where it was, with other descriptors; the last message is the caller's to judge. */
  async restart(queue: RawQueue, kick = queue.events.kick, call = queue.events.call): Promise<Reaction> {
    const { link } = this;
    const { index, size } = queue;
    const stop = { kind: 'state', index, num: 0 } as const;
    const { num } = await link.ask({ request: 'GET_VRING_BASE', payload: stop }, 'state');
    await link.must({ request: 'SET_VRING_NUM', payload: { kind: 'state', index, num: size } });
    await link.must({ request: 'SET_VRING_BASE', payload: { kind: 'state', index, num } });
    await link.must({ request: 'SET_VRING_ADDR', payload: ringAddress(queue) });
    const taken = await link.react({ request: 'SET_VRING_CALL', payload: vringFd(index), fds: [call] });
    if (accepted(taken).verdict !== 'passed') return taken;
    const started = await link.react({ request: 'SET_VRING_KICK', payload: vringFd(index), fds: [kick] });
    if (accepted(started).verdict === 'passed') await this.enable(index);
    return started;
  }

  async enable(index: number, on = true): Promise<void> {
    await this.link.must({
      request: 'SET_VRING_ENABLE',
      payload: { kind: 'state', index, num: on ? 1 : 0 },
    });
  }

  async setStatus(status: number): Promise<void> {
    await this.link.must({ request: 'SET_STATUS', payload: { kind: 'u64', value: BigInt(status) } });
  }

  /**
   * Runs what writes guest memory, between two looks at what the device wrote there: ends the check when it was more than
   * it may.
   */
  change<T>(write: () => T): T {
    this.#judgeMemory();
    this.#restock();
    const result = write();
    this.memory.remember();
    return result;
  }

  /** Offers a good frame, kicks, and waits until the device has used it. */
  async transmit(queue: RawQueue, frameBytes = 60): Promise<boolean> {
    return this.completes(
      queue,
      this.change(() => queue.offer([this.frame(frameBytes)])),
    );
  }

  /** Kicks, and waits until the device has given the buffer `id` back. */
  async completes(queue: RawQueue, id: number, timeoutMs = this.#limits.ringMs): Promise<boolean> {
    queue.kick();
    let isDone = false;
    await until(() => {
      for (const used of queue.collect()) if (used.id === id) isDone = true;
      return isDone || queue.violations.length > 0;
    }, timeoutMs);
    return isDone;
  }

  /** Waits until a queue was given something back, a violation or an error was told, or the time is over. */
  async settles(queue: RawQueue, timeoutMs: number): Promise<void> {
    await until(
      () => queue.collect().length > 0 || queue.violations.length > 0 || this.#errSignalled(queue),
      timeoutMs,
    );
  }

  /** How the device has told that a queue is broken, in words; empty when it has not. */
  async told(queue: RawQueue): Promise<string> {
    this.#errSignalled(queue);
    if (this.#hasStatus) {
      const { value } = await this.link.ask({ request: 'GET_STATUS' }, 'u64');
      if ((value & BigInt(STATUS_NEEDS_RESET)) !== 0n && !this.#told.includes('NEEDS_RESET')) {
        this.#told += this.#told === '' ? 'DEVICE_NEEDS_RESET' : ' and DEVICE_NEEDS_RESET';
      }
    }
    return this.#told;
  }

  /** Waits until one of the queues' rules is broken or `holds`. */
  until(holds: () => boolean, timeoutMs = this.#limits.ringMs): Promise<boolean> {
    return until(holds, timeoutMs);
  }

  /** True once the error eventfd of the queue was signalled. */
  errSignalled(queue: RawQueue): boolean {
    return this.#errSignalled(queue);
  }

  #errSignalled({ events }: RawQueue): boolean {
    if (drainEvent(events.err.number) && !this.#told.includes('eventfd')) {
      this.#told += this.#told === '' ? 'error eventfd' : ' and error eventfd';
    }
    return this.#told.includes('eventfd');
  }

  /** Ends the check when the device broke a rule in any ring or wrote where it must not. */
  judge(): void {
    for (const queue of this.queues) {
      queue.collect();
      const [first] = queue.violations;
      if (first !== undefined) fail(`ring ${queue.index}: ${first}`);
    }
    this.#judgeMemory();
  }

  #judgeMemory(): void {
    const change = this.memory.changeOutside(this.queues.flatMap((queue) => queue.mayChange()));
    if (change === null) return;
    fail(`wrote ${change.bytes} bytes at 0x${change.gpa.toString(16)}, where nothing was offered to write`);
  }
}

/** Payload of the messages that carry the descriptor of a ring. */
export function vringFd(index: number, noFd = false) {
  return { kind: 'vring-fd', index, noFd, reserved: 0n } as const;
}

/** Header of zeros and an Ethernet broadcast of a local experimental type, with counting bytes behind. */
export function frameImage(frameBytes: number): Uint8Array {
  const image = new Uint8Array(NET_HEADER_BYTES + frameBytes);
  const frame = image.subarray(NET_HEADER_BYTES);
  frame.forEach((_, at) => {
    frame[at] = at;
  });
  frame.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5].slice(0, frameBytes));
  return image;
}
