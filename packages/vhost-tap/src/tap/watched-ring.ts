import type { WatchedMemory } from '../memory/watched-memory.ts';
import { createRingObserver } from '../observe/ring-observer.ts';
import type { ObserverTotals, RingObserver, RingSample } from '../observe/ring-sample.ts';
import type { FrameSink, RingToObserve } from '../observe/ring-to-observe.ts';
import { OfferReader, placeOfWire } from '../record/offer-reader.ts';
import { hex, type MemoryNote } from '../record/record-lines.ts';
import type { Journal } from './journal.ts';

/** Buffers recorded per sample; the first look takes all that a driver has offered before the ring starts. */
const MAX_OFFERS = 64;

/** A ring that runs: its observer, what of it is recorded, and what is said about it. */
export class WatchedRing {
  readonly ring: RingToObserve;
  readonly #session: number;
  readonly #memory: WatchedMemory;
  readonly #journal: Journal;
  readonly #observer: RingObserver;
  /** Undefined until the first look at a ring that has been running. */
  #offers: OfferReader | undefined;
  #driverFlags = -1;
  #driverEvent = -1;
  #used = -1;
  #isFirst = true;
  #isFull = false;

  constructor(session: number, ring: RingToObserve, memory: WatchedMemory, journal: Journal) {
    this.#session = session;
    this.ring = ring;
    this.#memory = memory;
    this.#journal = journal;
    const sink: FrameSink = {
      frame: (queue, direction, bytes, length) => journal.frame(session, queue, direction, bytes, length),
    };
    const wanted = journal.wantsFrames ? sink : null;
    this.#observer = createRingObserver(memory.arena, memory.space, ring, wanted);
    if (ring.base !== undefined) this.#offers = this.#offersFrom(ring.base & 0xffff);
    this.#recordStart();
  }

  get totals(): ObserverTotals {
    return this.#observer.totals;
  }

  /** Looks at the ring, writes down what changed and what is wrong. Answers the sample. */
  look(nowNs: number): RingSample {
    const sample = this.#observer.sample(nowNs);
    if (sample.changed) {
      this.#journal.sample(this.#session, this.ring.queue, sample);
      this.#record(sample);
    }
    for (const violation of sample.violations)
      this.#journal.violation(this.#session, violation.queue, violation);
    return sample;
  }

  /** The last look. */
  stop(): void {
    this.look(this.#journal.nowNs);
    this.#journal.line({
      kind: 'ring-stop',
      session: this.#session,
      t: this.#journal.nowNs,
      queue: this.ring.queue,
    });
  }

  #record(sample: RingSample): void {
    const { record } = this.#journal;
    const { queue } = this.ring;
    if (!record.hasRoom) {
      this.#noteFull(queue);
      return;
    }
    const stamp = { session: this.#session, t: this.#journal.nowNs, queue };
    const { driverFlags, driverEvent } = sample;
    if (driverFlags !== this.#driverFlags || driverEvent !== this.#driverEvent) {
      this.#driverFlags = driverFlags;
      this.#driverEvent = driverEvent;
      record.write({ kind: 'words', ...stamp, flags: driverFlags, event: driverEvent });
    }
    if (this.#offers === undefined) {
      this.#offers = this.#offersFrom(sample.avail);
      return;
    }
    const most = this.#isFirst ? this.ring.size : MAX_OFFERS;
    this.#isFirst = false;
    this.#offers.read(this.#memory.space, sample.avail, most, (offer, missed) => {
      const memory = offer.pieces.map((piece) => this.#keep(piece.gpa, piece.offset, piece.bytes));
      const { place, descriptors, writable } = offer;
      record.write({ kind: 'offer', ...stamp, place, missed, descriptors, memory, writable });
    });
    if (sample.used === this.#used) return;
    this.#used = sample.used;
    const outstanding = outstandingIn(sample, this.ring.size);
    if (outstanding >= 0) record.write({ kind: 'progress', ...stamp, used: sample.used, outstanding });
  }

  #noteFull(queue: number): void {
    if (this.#isFull) return;
    this.#isFull = true;
    const text = `enough guest memory is kept: a replay knows nothing of ring ${queue} from here on`;
    this.#journal.note(this.#session, 'note', text);
  }

  /** `wire`: index, or descriptor and wrap counter. */
  #offersFrom(wire: number): OfferReader {
    const next = this.ring.format === 'split' ? wire : placeOfWire(wire, this.ring.size);
    return new OfferReader(this.#memory.arena, this.ring, next);
  }

  #keep(gpa: number, offset: number, bytes: number): MemoryNote {
    return this.#journal.record.keep(this.#memory.arena, gpa, offset, bytes);
  }

  #recordStart(): void {
    const { format, size, features, base = null, queue } = this.ring;
    const isSplit = format === 'split';
    const areas = [
      [this.ring.descOffset, 16 * size],
      [this.ring.driverOffset, isSplit ? 4 + 2 * size : 4],
      [this.ring.deviceOffset, isSplit ? 4 + 8 * size : 4],
    ] as const;
    const memory = areas.map(([offset, bytes]) => this.#keep(this.#memory.gpaOf(offset), offset, bytes));
    const [desc, driver, device] = memory.map(({ gpa }) => gpa);
    this.#journal.line({
      kind: 'ring-start',
      session: this.#session,
      t: this.#journal.nowNs,
      queue,
      format,
      size,
      features: hex(features.toBigInt()),
      base,
      desc: desc!,
      driver: driver!,
      device: device!,
      memory,
    });
  }
}

/** What is made available and not used, in buffers or descriptors; -1 when the sample cannot tell. */
function outstandingIn({ isPacked, avail, used }: RingSample, size: number): number {
  if (avail < 0 || used < 0) return -1;
  const around = 2 * size;
  const count = isPacked
    ? (placeOfWire(avail, size) - placeOfWire(used, size) + around) % around
    : (avail - used) & 0xffff;
  return count <= size ? count : -1;
}
