import type { Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';
import type { Findings } from './findings.ts';
import type { PackedScan } from './packed-scan.ts';
import type { RingToObserve } from './ring-to-observe.ts';
import type { OrderEvidence } from './trust.ts';

/** Nothing is known about the bytes that a device may write. */
export const UNKNOWN_BYTES = -1;
/** Descriptors that have to be as they were. */
const EVIDENCE = 8;

/**
 * Which buffers of a packed ring are outstanding, followed from sample to sample. `isExact` says that nothing escaped
 * since the ring was seen empty. Two laps look alike, so a sample continues the last one only if the descriptors that
 * should have stayed as they were did.
 */
export class PackedEntries {
  isExact = false;
  /**
   * The ids are what the driver wrote. A device prepares used descriptors, id included, before it publishes them; only
   * with buffers used in order and one by one, or with one buffer alone, that is the id which stood there.
   */
  #isIdCertain = false;
  #buffers = 0;
  /** While exact: where the next used descriptor will be written. */
  used = 0;
  /** By id: descriptors of the buffer that is outstanding; 0: not outstanding. And bytes that the device may write. */
  readonly slots: Uint16Array;
  readonly writable: Float64Array;
  /** Called for each buffer whose completion was seen: id, and bytes written. */
  onUsed: ((id: number, length: number) => void) | null = null;
  readonly #u32: Uint32Array;
  readonly #descWord: number;
  readonly #size: number;
  readonly #inOrder: boolean;
  readonly #findings: Findings;
  readonly #order: OrderEvidence;
  /** By descriptor: id of the list that begins there (-1: none). */
  readonly #idAt: Int32Array;
  /** By descriptor: the address at the last sample. */
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;
  /** Place up to which the lists are known. */
  #known = 0;

  constructor(arena: Arena, ring: RingToObserve, findings: Findings, order: OrderEvidence) {
    const { size } = ring;
    this.#u32 = arena.u32;
    this.#descWord = ring.descOffset >>> 2;
    this.#size = size;
    this.#inOrder = ring.features.has('IN_ORDER');
    this.#findings = findings;
    this.#order = order;
    this.slots = new Uint16Array(size);
    this.writable = new Float64Array(size).fill(UNKNOWN_BYTES);
    this.#idAt = new Int32Array(size).fill(-1);
    this.#low = new Uint32Array(size);
    this.#high = new Uint32Array(size);
  }

  /** The ring is empty at `place`: all is known. */
  startEmpty(place: number): void {
    this.isExact = true;
    this.#isIdCertain = true;
    this.#buffers = 0;
    this.used = place;
    this.#known = place;
    this.slots.fill(0);
    this.#idAt.fill(-1);
  }

  lose(): void {
    this.isExact = false;
  }

  /**
   * True when this scan goes on from the last one, and not a number of laps later: outside of what was made available
   * since, and of what the driver prepares behind it, all descriptors have the addresses that they had. No device writes
   * addresses. A ring with too few such descriptors shows nothing.
   */
  isSame(scan: PackedScan, from: number, to: number): boolean {
    const end = scan.move(from, this.#size);
    let place = to;
    while (place !== end && !this.#hasAddress(scan.slot(place))) place = scan.move(place, 1);
    if (scan.distance(place, end) < EVIDENCE) return false;
    for (; place !== end; place = scan.move(place, 1)) if (!this.#hasAddress(scan.slot(place))) return false;
    return true;
  }

  #hasAddress(slot: number): boolean {
    const w = this.#descWord + 4 * slot;
    return this.#u32[w] === this.#low[slot] && this.#u32[w + 1] === this.#high[slot];
  }

  /** Remembers all addresses, for the next `isSame`. */
  remember(): void {
    for (let slot = 0, w = this.#descWord; slot < this.#size; slot++, w += 4) {
      this.#low[slot] = this.#u32[w];
      this.#high[slot] = this.#u32[w + 1];
    }
  }

  /**
   * Takes in what was used since the last sample. `offered`: descriptors made available in the meantime, which may
   * explain an id that was not outstanding. Answers how many descriptors were gone over.
   */
  takeUsed(scan: PackedScan, offered: number): number {
    let steps = 0;
    while (this.isExact && this.used !== this.#known && scan.isUsed(this.used)) {
      const slot = scan.slot(this.used);
      const word = scan.words[slot];
      const id = word & 0xffff;
      const isWritten = ((word >>> 16) & VIRTQ_DESC_F_WRITE) !== 0;
      const length = isWritten ? this.#u32[this.#descWord + 4 * slot + 2] : 0;
      // the driver may have written the descriptor again meanwhile
      const isAtRest = this.#u32[this.#descWord + 4 * slot + 3] === word;
      if (id >= this.#size) {
        this.#say('used-id-range', `used descriptor ${slot} has id ${id} in a queue of ${this.#size}`);
        break;
      }
      if (this.slots[id] === 0) {
        if (offered === 0 && this.#isIdCertain) {
          this.#say('used-id-unknown', `used descriptor ${slot} has id ${id}, which is not outstanding`);
        } else this.lose();
        break;
      }
      const batch = this.#inOrder ? this.#takeBatch(scan, id) : this.#takeOne(slot, id);
      if (batch === 0) {
        this.lose();
        break;
      }
      if (isAtRest) {
        this.#checkLength(slot, id, length);
        this.onUsed?.(id, length);
      }
      steps += batch;
      this.used = scan.move(this.used, batch);
    }
    return steps;
  }

  #say(code: 'used-id-range' | 'used-id-unknown', text: string): void {
    this.#findings.say(code, text);
    this.lose();
  }

  #takeOne(slot: number, id: number): number {
    if (this.#idAt[slot] >= 0) this.#order.note(this.#idAt[slot] === id, this.#buffers);
    const slots = this.slots[id];
    this.slots[id] = 0;
    this.#buffers--;
    return slots;
  }

  /** Descriptors of all buffers from the used place on to the one with `id`; 0 when there is none such. */
  #takeBatch(scan: PackedScan, id: number): number {
    let steps = 0;
    for (let place = this.used; place !== this.#known; ) {
      const next = this.#idAt[scan.slot(place)];
      if (next < 0 || this.slots[next] === 0) return 0;
      const slots = this.slots[next];
      this.slots[next] = 0;
      this.#buffers--;
      steps += slots;
      if (next === id) return steps;
      place = scan.move(place, slots);
    }
    return 0;
  }

  #checkLength(slot: number, id: number, length: number): void {
    const room = this.writable[id];
    if (room === UNKNOWN_BYTES || length <= room) return;
    const text = `used descriptor ${slot} says ${length} bytes in buffer ${id}, which has room for ${room}`;
    this.#findings.say('used-length', text);
  }

  /**
   * Notes that the list of `slots` descriptors at `place` was made available with buffer `id`; the lists come in the
   * order of the ring. False when the id is outstanding already.
   */
  offer(scan: PackedScan, place: number, slots: number, id: number): boolean {
    const isBusy = this.slots[id] !== 0;
    if (!isBusy) this.#buffers++;
    if (this.#buffers > 1 && (this.#inOrder || !this.#order.inOrder)) this.#isIdCertain = false;
    this.#idAt[scan.slot(place)] = id;
    this.slots[id] = slots;
    this.writable[id] = UNKNOWN_BYTES;
    for (let i = 0, at = place; i < slots; i++, at = scan.move(at, 1)) {
      if (i > 0) this.#idAt[scan.slot(at)] = -1;
    }
    this.#known = scan.move(place, slots);
    return !isBusy || !this.#isIdCertain;
  }
}
