import { ACCESS_READ } from '@vhostlab/memory';
import { FeatureSet, headerBytes, readNumBuffers } from '@vhostlab/virtio-net';
import { ringPlaceProblem } from '@vhostlab/virtqueue';
import { createRingObserver } from '../observe/ring-observer.ts';
import type { RingObserver } from '../observe/ring-sample.ts';
import type { RingToObserve } from '../observe/ring-to-observe.ts';
import type { OfferLine, ProgressLine, RingStartLine, WordsLine } from '../record/record-lines.ts';
import type { DriverSide } from './driver-side.ts';
import { type OfferedBuffer, offeredBuffer, type Recorded } from './offered-buffer.ts';
import { PackedSide } from './packed-side.ts';
import type { ReplayMemory } from './replay-memory.ts';
import { type DeviceViolation, headerFault } from './ring-rules.ts';
import { SplitSide } from './split-side.ts';

/** Times that a ring may keep the driver waiting before nobody waits for it any more. */
const MAX_STALLS = 3;

/** Who is told of violations. `exact`: the driver found it; else the observer did. */
export type SayOfRing = (violation: DeviceViolation, exact: boolean) => void;

/** What became of a buffer of the record. */
export type Played = 'offered' | 'busy' | 'incomplete';

/** A ring of the record that is played again: offers, words, and what the device makes of them. */
export class PlayedRing {
  readonly queue: number;
  readonly isReceive: boolean;
  offered = 0;
  used = 0;
  /** Buffers of the record that could not be offered. */
  skipped = 0;
  /** The device keeps the driver waiting, and has done nothing since. */
  isStalled = false;
  /** Memory has changed and nobody may look at the ring. */
  isParked = false;
  readonly #memory: ReplayMemory;
  readonly #recorded: Recorded;
  readonly #ring: RingToObserve;
  readonly #side: DriverSide;
  #observer: RingObserver;
  #stalls = 0;
  readonly #say: SayOfRing;
  readonly #headerBytes: number;
  readonly #checksHeaders: 'no' | 'one' | 'any';
  /** Buffers that the packet being received still has to come in. */
  #more = 0;

  /** Writes the areas as they were. Throws a RangeError when there is no place for them. */
  constructor(line: RingStartLine, memory: ReplayMemory, recorded: Recorded, say: SayOfRing) {
    this.queue = line.queue;
    this.isReceive = line.queue % 2 === 0;
    this.#memory = memory;
    this.#recorded = recorded;
    this.#say = say;
    this.#ring = placeOf(line, memory);
    for (const note of line.memory) memory.write(note, recorded(note));
    const base = line.base ?? (line.format === 'split' ? 0 : 0x8000);
    const sayExactly = (violation: DeviceViolation) => say(violation, true);
    this.#side =
      line.format === 'split'
        ? new SplitSide(memory.arena, this.#ring, base, sayExactly)
        : new PackedSide(memory.arena, this.#ring, base, sayExactly);
    const { features } = this.#ring;
    this.#observer = this.#observe(this.#ring);
    this.#headerBytes = headerBytes(features);
    const isKnown = features.has('MRG_RXBUF') ? 'any' : features.has('VERSION_1') ? 'one' : 'no';
    this.#checksHeaders = this.isReceive ? isKnown : 'no';
  }

  get outstanding(): number {
    return this.#side.outstanding;
  }

  /** False when waiting makes no sense: the ring is broken, or the device has kept the driver waiting before. */
  get isWorthWaiting(): boolean {
    return !this.isStalled && this.#stalls < MAX_STALLS && !this.isParked && !this.#side.isBroken;
  }

  /** The device has kept the driver waiting for as long as it may. */
  stall(): void {
    this.isStalled = true;
    this.#stalls++;
  }

  /** Goes on after a change of memory, where it was; false when it is elsewhere, and not followed. */
  resume(line: RingStartLine): boolean {
    const ring = placeOf(line, this.#memory);
    const { descOffset, driverOffset, deviceOffset } = this.#ring;
    const isHere =
      ring.descOffset === descOffset &&
      ring.driverOffset === driverOffset &&
      ring.deviceOffset === deviceOffset;
    if (!isHere) return false;
    const { base: _base, ...running } = this.#ring;
    this.#observer = this.#observe(running);
    this.isParked = false;
    return true;
  }

  get asksForKick(): boolean {
    return !this.isParked && this.#side.asksForKick();
  }

  kicked(): void {
    this.#side.kicked();
  }

  /** Writes a buffer of the record, not yet visible; `busy`: the device still has its descriptors. */
  offer(line: OfferLine): Played {
    const buffer = offeredBuffer(line, this.#ring.format, this.#recorded);
    if (buffer === null || this.isParked || !this.#fits(buffer)) return 'incomplete';
    if (!this.#side.isFree(buffer)) return 'busy';
    for (const note of line.memory) this.#memory.write(note, this.#recorded(note));
    this.#side.put(line, buffer);
    this.offered++;
    return 'offered';
  }

  publish(): void {
    if (!this.isParked) this.#side.publish();
  }

  words({ flags, event }: WordsLine): void {
    if (!this.isParked) this.#side.words(flags, event);
  }

  /** True when the device is as far as it was in the record. */
  isAsFarAs({ outstanding }: ProgressLine): boolean {
    return this.isParked || this.outstanding <= outstanding;
  }

  /** Takes what the device has used, and looks at the ring as a tap does. */
  look(nowNs: number): void {
    if (this.isParked) return;
    const { violations } = this.#observer.sample(nowNs);
    for (const violation of violations) if (violation.party !== 'driver') this.#say(violation, false);
    this.#side.take((buffer, _length, together) => {
      this.used++;
      this.isStalled = false;
      if (this.#checksHeaders !== 'no') this.#checkHeader(buffer, together);
    });
  }

  /** What is wrong with the base that the device stopped at. */
  baseProblem(num: number): string | null {
    return this.isParked ? null : this.#side.baseProblem(num);
  }

  #observe(ring: RingToObserve): RingObserver {
    const { arena, space } = this.#memory;
    // nothing else runs here that could be slowed down, and few chains go by between two looks
    return createRingObserver(arena, space, ring, null, { maxChains: ring.size, maxEntries: ring.size });
  }

  #fits({ slots }: OfferedBuffer): boolean {
    return slots.length <= this.#ring.size && slots.every((slot) => slot < this.#ring.size);
  }

  #checkHeader({ firstAddress, firstBytes }: OfferedBuffer, together: number): void {
    if (this.#more > 0) {
      this.#more--;
      return;
    }
    if (firstBytes < this.#headerBytes || this.#headerBytes < 12) return;
    const offset = this.#memory.space.translate(firstAddress, this.#headerBytes, ACCESS_READ);
    if (offset < 0) return;
    const count = readNumBuffers(this.#memory.arena.u8, offset);
    const most = this.#checksHeaders === 'one' ? 1 : together;
    if (count >= 1 && count <= most) this.#more = count - 1;
    else {
      const text =
        this.#checksHeaders === 'one'
          ? `a packet has num_buffers ${count}, without MRG_RXBUF it is 1`
          : `a packet has num_buffers ${count}, and at most ${together} were used together`;
      this.#say(headerFault(this.queue, text), true);
    }
  }
}

/** Finds the areas. Throws a RangeError. */
function placeOf(line: RingStartLine, memory: ReplayMemory): RingToObserve {
  const { queue, format, size } = line;
  const features = FeatureSet.fromBigInt(BigInt(line.features));
  const [desc, driver, device] = line.memory;
  const offset = (gpa: string, bytes = 0) => memory.offsetOf(gpa, bytes);
  const offsets = {
    descOffset: offset(line.desc, desc?.bytes),
    driverOffset: offset(line.driver, driver?.bytes),
    deviceOffset: offset(line.device, device?.bytes),
  };
  if (Math.min(...Object.values(offsets)) < 0) throw new RangeError(`ring ${queue} is not in guest memory`);
  const problem = ringPlaceProblem(format, size, features.has('EVENT_IDX'), offsets, memory.arena.sizeBytes);
  if (problem !== undefined) throw new RangeError(`ring ${queue}: ${problem}`);
  return {
    queue,
    format,
    size,
    ...offsets,
    direction: queue % 2 === 0 ? 'rx' : 'tx',
    features,
    base: line.base ?? 0,
    knowsAllMemory: true,
  };
}
