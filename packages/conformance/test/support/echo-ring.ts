import { EVENT_READABLE, type Reactor, writeBytes } from '@vhostlab/host';
import type { AddressSpace, Arena, DirtyLog } from '@vhostlab/memory';
import {
  decodeBase,
  encodeBase,
  F_EVENT_IDX,
  type RingAreas,
  type RingBase,
  type RingSetup,
} from '@vhostlab/vhost-user';
import { featureByName } from '@vhostlab/virtio-net';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  PackedDevice,
  type RingPlace,
  SplitDevice,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
} from '@vhostlab/virtqueue';
import type { DeviceFaults } from './faults.ts';

const INDIRECT = 1n << BigInt(featureByName('INDIRECT_DESC').bit);
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
const HEADER_BYTES = 12;
const LONGEST_FRAME = 9018;
/** Guest-physical address of nothing: between rings and buffers of the checks. */
const OUTSIDE_GPA = 0x11f000;

/** What a ring needs of its device. */
export interface RingOwner {
  readonly arena: Arena;
  readonly space: AddressSpace;
  readonly reactor: Reactor;
  readonly faults: DeviceFaults;
  readonly host: { die(): void };
  readonly features: bigint;
  readonly log: DirtyLog | null;
  /** Nothing is done any more. */
  isStuck: boolean;
  kicked(ring: EchoRing): void;
  deliver(index: number, frame: Uint8Array): void;
  logWrite(offset: number, bytes: number): void;
  tellBroken(ring: EchoRing): void;
}

/** Used index that is read back from memory, where the guest writes too. */
class TrustingPublisher extends DirectPublisher {
  readonly #u16: Uint16Array;
  readonly #usedIdx: number;

  constructor(arena: Arena, usedIdx: number) {
    super(arena);
    this.#u16 = arena.u16;
    this.#usedIdx = usedIdx;
  }

  override u16(offset: number, value: number): void {
    super.u16(offset, offset === this.#usedIdx ? (this.#u16[offset / 2] + 1) & 0xffff : value);
  }
}

/** One ring of an EchoDevice. */
export class EchoRing {
  readonly index: number;
  readonly kickNumber: number;
  call: number;
  err: number;
  enabled: boolean;
  usedLogGpa: number | null;
  /** Nothing is done in it any more, and nobody is told. */
  isDead = false;
  readonly #device: RingOwner;
  readonly #setup: RingSetup;
  readonly #batch = new ChainBatch(1, 1024);
  #queue: DeviceQueue;
  #areas: RingAreas | null;
  /** Buffers taken so far. */
  handled = 0;
  #isTold = false;
  #isBusy = false;
  #unwatch: () => void = () => {};

  constructor(device: RingOwner, setup: RingSetup) {
    this.#device = device;
    this.#setup = setup;
    this.index = setup.index;
    this.kickNumber = setup.kick?.number ?? -1;
    this.call = setup.call?.number ?? -1;
    this.err = setup.err?.number ?? -1;
    this.enabled = setup.enabled;
    this.usedLogGpa = setup.usedLogGpa;
    this.#areas = setup.areas;
    this.#queue = this.#open(setup.areas, encodeBase(setup.base));
  }

  watch(): void {
    const { kick } = this.#setup;
    if (kick === null) return;
    try {
      this.#unwatch = this.#device.reactor.watch(kick, () => this.#device.kicked(this), EVENT_READABLE);
    } catch {
      // no eventfd: epoll takes no files
    }
  }

  stop(): void {
    this.#unwatch();
    this.#unwatch = () => {};
    this.isDead = true;
  }

  base(): RingBase {
    const base = decodeBase(this.#setup.format, this.#queue.saveBase())!;
    const { driftsBase } = this.#device.faults;
    return driftsBase === true && base.format === 'split' ? { ...base, lastAvail: base.lastAvail + 1 } : base;
  }

  /** Goes on at another place, or pauses. */
  place(areas: RingAreas | null): void {
    const base = this.#queue.saveBase();
    this.#areas = areas;
    if (areas !== null) this.#queue = this.#open(areas, base);
  }

  /** Takes every buffer of a transmit queue. */
  turn(): void {
    if (this.#isBusy) return;
    while (this.#isReady() && this.#pop()) {
      if (this.#device.faults.readsTwice === true) {
        this.#isBusy = true;
        void this.#laterAgain(this.#words());
        return;
      }
      this.#transmit();
    }
    this.#tellIfBroken();
  }

  /** Puts a frame into a receive queue, if there is a buffer for it. */
  receive(frame: Uint8Array, headerBytes: number): void {
    if (!this.#isReady() || !this.enabled || !this.#pop()) {
      this.#tellIfBroken();
      return;
    }
    const { slot, status, writableBytes } = this.#batch;
    const bytes = headerBytes + frame.length;
    const fits = status[0] === 0 && writableBytes[0] >= bytes;
    if (!fits && this.#device.faults.sticksOnBadChain === true) {
      this.isDead = true;
      return;
    }
    if (fits) this.#scatter(frame, headerBytes);
    this.#giveBack(slot[0], fits ? bytes : 0);
  }

  #open(areas: RingAreas, base: number): DeviceQueue {
    const { arena, space, features, faults } = this.#device;
    const { index, size, format } = this.#setup;
    const place: RingPlace = {
      size,
      index,
      descOffset: areas.descriptor,
      driverOffset: areas.driver,
      deviceOffset: areas.device,
      features: {
        eventIdx: (features & F_EVENT_IDX) !== 0n,
        indirect: (features & INDIRECT) !== 0n && faults.noIndirect !== true,
        inOrder: false,
      },
    };
    const publisher =
      faults.trustsUsedIdx === true
        ? new TrustingPublisher(arena, areas.device + 2)
        : new DirectPublisher(arena);
    const queue =
      format === 'split'
        ? new SplitDevice(arena, publisher, space, place)
        : new PackedDevice(arena, publisher, space, place);
    queue.restoreBase(base);
    return queue;
  }

  #isReady(): boolean {
    return !this.isDead && !this.#device.isStuck && this.#areas !== null && this.#queue.violation === 0;
  }

  #pop(): boolean {
    if (this.#device.faults.sticksOnOddEvents === true && this.#hasOddEvent()) this.isDead = true;
    const { diesOfUnavailable, diesOfTwice } = this.#device.faults;
    if (diesOfUnavailable === true && this.#hasUnavailable()) this.#device.host.die();
    if (diesOfTwice === true && this.#hasTwice()) this.#device.host.die();
    if (this.isDead || this.#queue.pop(this.#batch, 1) !== 1) return false;
    this.handled++;
    return true;
  }

  #transmit(): void {
    const { faults } = this.#device;
    const batch = this.#batch;
    const slot = batch.slot[0];
    const isPlain = batch.segmentCount[0] === 1;
    if (batch.status[0] !== 0 || (faults.plainOnly === true && !isPlain)) {
      if (faults.sticksOnBadChain === true || faults.plainOnly === true) this.isDead = true;
      else this.#giveBack(slot, 0);
      return;
    }
    const bytes = this.#gather();
    const frame = bytes.subarray(HEADER_BYTES);
    const isOdd =
      bytes.subarray(0, HEADER_BYTES).some((byte) => byte !== 0) || frame.length < 14 || frame.length > 1514;
    if (isOdd && faults.sticksOnOddFrames === true) {
      this.isDead = true;
      return;
    }
    this.#giveBack(slot, 0);
    if (this.enabled && frame.length >= 14 && frame.length <= LONGEST_FRAME) {
      this.#device.deliver(this.index, frame);
    }
  }

  /** All bytes that the device may read. */
  #gather(): Uint8Array {
    const { offset, length, writable, segmentCount } = this.#batch;
    const parts: number[] = [];
    for (let i = 0; i < segmentCount[0]; i++) {
      if (writable[i] === 1) continue;
      for (const byte of this.#device.arena.u8.subarray(offset[i], offset[i] + length[i])) parts.push(byte);
    }
    return Uint8Array.from(parts);
  }

  #scatter(frame: Uint8Array, headerBytes: number): void {
    const image = new Uint8Array(headerBytes + frame.length);
    image[10] = 1;
    image.set(frame, headerBytes);
    const { offset, length, writable, segmentCount } = this.#batch;
    let at = 0;
    for (let i = 0; i < segmentCount[0] && at < image.length; i++) {
      if (writable[i] === 0) continue;
      const part = image.subarray(at, at + length[i]);
      this.#device.arena.u8.set(part, offset[i]);
      this.#device.logWrite(offset[i], part.length);
      at += part.length;
    }
  }

  #giveBack(slot: number, length: number): void {
    const { faults, log } = this.#device;
    this.#queue.pushUsed(slot, length);
    if (faults.writesOutside === true) this.#writeOutside();
    this.#queue.publishUsed();
    if (this.usedLogGpa !== null) log?.mark(this.usedLogGpa, 64);
    if (faults.usesStrangers === true && this.handled > 1) this.#useStranger();
    if (this.#queue.shouldCall() && faults.neverCalls !== true && this.call >= 0) this.#callDriver();
  }

  #callDriver(): void {
    const { faults, host } = this.#device;
    const put = writeBytes({ number: this.call }, ONE);
    // a writer that waits would never come back
    if (put === 'again' && faults.waitsForCalls === true) this.#device.isStuck = true;
    if (put === 'closed' && faults.diesOfBrokenCalls === true) host.die();
  }

  /** A used entry for what was never offered. */
  #useStranger(): void {
    const { arena } = this.#device;
    const at = this.#areas!.device;
    if (this.#setup.format === 'split') {
      const idx = arena.u16[at / 2 + 1];
      arena.u32[at / 4 + 1 + 2 * (idx & (this.#setup.size - 1))] = 7777;
      arena.u16[at / 2 + 1] = idx + 1;
    }
  }

  #writeOutside(): void {
    const at = this.#device.space.translate(OUTSIDE_GPA, 1, 2);
    if (at >= 0) this.#device.arena.u8[at]++;
  }

  #tellIfBroken(): void {
    if (this.#queue.violation === 0 || this.#isTold) return;
    this.#isTold = true;
    this.#device.tellBroken(this);
  }

  /** Words of the first descriptor, which the guest can change at any time. */
  #words(): readonly number[] {
    const word = this.#areas!.descriptor / 4 + 4 * this.#batch.slot[0];
    return [...this.#device.arena.u32.subarray(word, word + 4)];
  }

  /** Looks at the descriptor a second time, and would go wherever it leads then. */
  async #laterAgain(before: readonly number[]): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#isBusy = false;
    if (!this.#isReady()) return;
    if (this.#words().some((word, at) => word !== before[at])) this.#device.host.die();
    else {
      this.#transmit();
      this.turn();
    }
  }

  /** Position of the next buffer, in the first round of the ring. */
  #position(): number {
    const base = decodeBase(this.#setup.format, this.#queue.saveBase())!;
    return base.format === 'split' ? base.lastAvail : base.avail;
  }

  /** Whether the next descriptor has bits that no driver writes in the first round (packed). */
  #hasUnavailable(): boolean {
    if (this.#setup.format === 'split') return false;
    const bits = this.#packedWord(this.#position()) >>> 16;
    return (bits & VIRTQ_DESC_F_USED) !== 0;
  }

  /** Whether the next two buffers, of one descriptor each, have the same id. */
  #hasTwice(): boolean {
    const { arena } = this.#device;
    const { size, format } = this.#setup;
    const at = this.#position();
    if (format === 'split') {
      const driver = this.#areas!.driver / 2;
      const head = (ahead: number) => arena.u16[driver + 2 + ((at + ahead) & (size - 1))];
      return ((arena.u16[driver + 1] - at) & 0xffff) > 1 && head(0) === head(1);
    }
    const [first, second] = [this.#packedWord(at), this.#packedWord((at + 1) % size)];
    const isSingle = ((first >>> 16) & VIRTQ_DESC_F_NEXT) === 0;
    const areBoth = ((first & second) >>> 16) & VIRTQ_DESC_F_AVAIL;
    return isSingle && areBoth !== 0 && (first & 0xffff) === (second & 0xffff);
  }

  /** Id and flags of a descriptor (packed). */
  #packedWord(slot: number): number {
    return this.#device.arena.u32[this.#areas!.descriptor / 4 + 4 * slot + 3];
  }

  #hasOddEvent(): boolean {
    if (this.#setup.format === 'split') return false;
    const event = this.#device.arena.u32[this.#areas!.driver / 4];
    return event >>> 16 === 3 || (event >>> 16 === 2 && (event & 0x7fff) >= this.#setup.size);
  }
}
