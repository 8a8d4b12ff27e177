import { ACCESS_READ, ACCESS_WRITE, type AddressSpace, AddressWindow, type Arena } from '@vhostlab/memory';
import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import type { RingPlace } from './driver-queue.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import type { PackedDevice } from './packed-device.ts';
import type { PlainBurst, PlainRing, PlainRules } from './plain-burst.ts';
import { SlotMarks } from './slot-marks.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const WRITE = VIRTQ_DESC_F_WRITE;
const AVAIL = VIRTQ_DESC_F_AVAIL;
const USED = VIRTQ_DESC_F_USED;
const AVAIL_USED = AVAIL | USED;
const FLAGS = AVAIL_USED | VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_INDIRECT;

/** Plain buffers of a packed virtqueue. */
export class PackedPlain implements PlainRing {
  readonly #device: PackedDevice;
  readonly #space: AddressSpace;
  readonly #window = new AddressWindow();
  readonly #marks: SlotMarks;
  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;
  readonly #size: number = 0;
  readonly #descWord: number = 0;
  readonly #inOrder: boolean = false;
  readonly #access: number = 0;
  /** WRITE of a plain descriptor. */
  readonly #write: number = 0;
  readonly #minBytes: number = 0;
  readonly #maxBytes: number = 0;
  readonly #patience: number = 0;
  /** Looks from this position on that found less than was asked for; not forgotten before the position moves. */
  #waited = 0;
  #waitedAt = 0;

  /** `device` works on the same `place`, and `space` translates for both. */
  constructor(arena: Arena, device: PackedDevice, space: AddressSpace, place: RingPlace, rules: PlainRules) {
    this.#device = device;
    this.#space = space;
    this.#marks = new SlotMarks(place.size);
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#size = place.size;
    this.#descWord = place.descOffset >>> 2;
    this.#inOrder = place.features.inOrder;
    this.#access = rules.writable ? ACCESS_WRITE : ACCESS_READ;
    this.#write = rules.writable ? WRITE : 0;
    this.#minBytes = rules.minBytes;
    this.#maxBytes = rules.maxBytes;
    this.#patience = rules.patience ?? 0;
  }

  peek(burst: PlainBurst, max: number): number {
    burst.count = 0;
    burst.visible = 0;
    const limit = Math.min(max, burst.capacity, this.#size);
    if (limit === 0 || !this.#device.hasAvailable() || !this.#device.isLevel) return 0;
    if (this.#patience > 0 && this.#waits(limit)) return 0;
    const window = this.#window;
    if (window.generation !== this.#space.generation) window.bytes = 0;
    this.#marks.next();
    let found = this.#scan(burst, 0, limit);
    // the window is moved at most once per buffer
    while (found < limit && this.#moveWindow(found)) {
      const next = this.#scan(burst, found, limit);
      if (next === found) break;
      found = next;
    }
    burst.count = found;
    burst.visible = Math.max(found, 1);
    return found;
  }

  /** True when a whole burst is not there yet, and the patience for this position has not run out. */
  #waits(limit: number): boolean {
    const position = this.#device.position | 0;
    if (position !== this.#waitedAt) {
      this.#waitedAt = position;
      this.#waited = 0;
    }
    if (this.#waited >= this.#patience || this.#availableWord(limit - 1) >= 0) return false;
    this.#waited++;
    return true;
  }

  /** Looks at buffers from number `from` of the burst on; answers the number of the first that is not plain. */
  #scan(burst: PlainBurst, from: number, limit: number): number {
    const { slot, offset, length } = burst;
    const u32 = this.#u32;
    const marks = this.#marks.marks;
    const mark = this.#marks.current;
    const size = this.#size | 0;
    const descWord = this.#descWord | 0;
    const base = this.#device.position | 0;
    let at = ((base & 0x7fff) + from) | 0;
    let expected = ((base & 0x8000) !== 0 ? AVAIL : USED) | this.#write;
    if (at >= size) {
      at -= size;
      expected ^= AVAIL_USED;
    }
    const window = this.#window;
    const high = window.high >>> 0;
    const low = window.low >>> 0;
    const place = window.offset >>> 0;
    const windowBytes = window.bytes >>> 0;
    const minBytes = this.#minBytes >>> 0;
    const maxBytes = Math.min(this.#maxBytes, windowBytes) >>> 0;
    let i = from | 0;
    for (; i < limit; i++) {
      const w = descWord + (at << 2);
      const idFlags = u32[w + 3];
      if (((idFlags >>> 16) & FLAGS) !== expected) break;
      const id = idFlags & 0xffff;
      if (id >= size || marks[id] === mark) break;
      const inWindow = (u32[w] - low) >>> 0;
      const bytes = u32[w + 2];
      if (u32[w + 1] !== high) break;
      if (bytes < minBytes || bytes > maxBytes || inWindow > (windowBytes - bytes) >>> 0) break;
      marks[id] = mark;
      slot[i] = id;
      offset[i] = place + inWindow;
      length[i] = bytes;
      if (++at === size) {
        at = 0;
        expected ^= AVAIL_USED;
      }
    }
    return i;
  }

  /** Moves the window to where buffer `number` lies; false when the buffer cannot be plain there either. */
  #moveWindow(number: number): boolean {
    const w = this.#availableWord(number);
    return w >= 0 && this.#space.windowAt(this.#u32[w + 1], this.#u32[w], this.#access, this.#window);
  }

  /** Word of descriptor `number` from the position on; -1 when it is not available. */
  #availableWord(number: number): number {
    const base = this.#device.position | 0;
    let at = ((base & 0x7fff) + number) | 0;
    let expected = (base & 0x8000) !== 0 ? AVAIL : USED;
    if (at >= this.#size) {
      at -= this.#size;
      expected ^= AVAIL_USED;
    }
    const w = (this.#descWord + (at << 2)) | 0;
    return ((this.#u32[w + 3] >>> 16) & AVAIL_USED) === expected ? w : -1;
  }

  finishRead(burst: PlainBurst, count: number): void {
    if (count === 0) return;
    const { slot } = burst;
    const first = this.#descWord + ((this.#device.position & 0x7fff) << 2);
    this.#u32[first + 2] = 0;
    if (this.#inOrder) {
      // one descriptor closes the batch: the last buffer's id, at the place of the first (virtio 1.3, 2.8.9)
      this.#u16[(first + 3) << 1] = slot[count - 1];
      this.#device.moveOn(count, 1, false);
      return;
    }
    this.#u16[(first + 3) << 1] = slot[0];
    this.#writeRest(slot, count, undefined);
    this.#device.moveOn(count, count, false);
  }

  finishWritten(burst: PlainBurst, count: number, written: Uint32Array): void {
    if (count === 0) return;
    const { slot } = burst;
    const first = this.#descWord + ((this.#device.position & 0x7fff) << 2);
    this.#u32[first + 2] = written[0];
    this.#u16[(first + 3) << 1] = slot[0];
    this.#writeRest(slot, count, written);
    this.#device.moveOn(count, count, true);
  }

  /** Writes the used descriptors after the first one, whose flags make all of them visible. */
  #writeRest(slot: Uint16Array, count: number, written: Uint32Array | undefined): void {
    const u32 = this.#u32;
    const size = this.#size | 0;
    const descWord = this.#descWord | 0;
    const base = this.#device.position | 0;
    let at = (base & 0x7fff) | 0;
    let flags = ((base & 0x8000) !== 0 ? AVAIL_USED : 0) | (written === undefined ? 0 : WRITE);
    for (let i = 1; i < count; i++) {
      if (++at === size) {
        at = 0;
        flags ^= AVAIL_USED;
      }
      const w = descWord + (at << 2);
      u32[w + 2] = written === undefined ? 0 : written[i];
      u32[w + 3] = slot[i] | (flags << 16);
    }
  }
}
