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
  #skipped = 0;
  /** Memory has changed and nobody may look at the ring. */
  isParked = false;
  readonly #memory: ReplayMemory;
  readonly #recorded: Recorded;
  readonly #ring: RingToObserve;
  readonly #side: DriverSide;
  #observer: RingObserver;
  readonly #say: SayOfRing;
  readonly #headerBytes: number;
  readonly #checksHeaders: 'no' | 'one' | 'any';
  /** Buffers that the packet being received still has to come in. */
  #more = 0;
  /** Receive buffers by id: with the device, and come back. */
  readonly #lent = new Map<number, OfferLine>();
  readonly #idle = new Map<number, OfferLine>();
  /** Receive buffers that the recorded driver had offered by now and this one has not. */
  #owed = 0;
  #hasStandIns = false;

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

  /** Buffers of the record that could not be offered. */
  get skipped(): number {
    return this.#skipped + this.#owed;
  }

  get outstanding(): number {
    return this.#side.outstanding;
  }

  /** True when the device broke the ring: waiting for it makes no sense. */
  get isBroken(): boolean {
    return this.#side.isBroken;
  }

  /** Buffers of the record are missing here, so that others stand in for them. */
  get hasStandIns(): boolean {
    return this.#hasStandIns;
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
    this.#put(line, buffer);
    return 'offered';
  }

  /**
   * Buffers of the record that cannot be offered as they were. Receive buffers are all the same, so any that has come back
   * is offered in their place as soon as there is one: a device without them may stop sending as well.
   */
  leaveOut(count: number): void {
    if (this.isReceive) {
      this.#owed += count;
      this.#hasStandIns = true;
    } else this.#skipped += count;
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
      if (this.#checksHeaders !== 'no') this.#checkHeader(buffer, together);
      const line = this.#lent.get(buffer.id);
      if (line !== undefined) this.#idle.set(buffer.id, line);
      this.#lent.delete(buffer.id);
    });
    if (this.#owed > 0) this.#payBack();
  }

  /** What is wrong with the base that the device stopped at. */
  baseProblem(num: number): string | null {
    return this.isParked ? null : this.#side.baseProblem(num);
  }

  #put(line: OfferLine, buffer: OfferedBuffer): void {
    this.#side.put(line, buffer);
    this.offered++;
    this.#idle.delete(buffer.id);
    if (this.isReceive) this.#lent.set(buffer.id, line);
  }

  #payBack(): void {
    for (const line of [...this.#idle.values()]) {
      if (this.#owed === 0) break;
      const buffer = offeredBuffer(line, this.#ring.format, this.#recorded);
      if (buffer === null || !this.#side.isFree(buffer)) continue;
      this.#owed--;
      this.#put({ ...line, place: this.#side.nextPlace }, buffer);
    }
    this.#side.publish();
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
