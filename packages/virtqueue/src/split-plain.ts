import { ACCESS_READ, ACCESS_WRITE, type AddressSpace, AddressWindow, type Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from './constants.ts';
import type { RingPlace } from './driver-queue.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import type { PlainBurst, PlainRing, PlainRules } from './plain-burst.ts';
import { SlotMarks } from './slot-marks.ts';
import type { SplitDevice } from './split-device.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const FLAGS = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_INDIRECT;

/** Plain buffers of a split virtqueue. */
export class SplitPlain implements PlainRing {
  readonly #device: SplitDevice;
  readonly #space: AddressSpace;
  readonly #window = new AddressWindow();
  readonly #marks: SlotMarks;
  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;
  readonly #mask: number = 0;
  readonly #descWord: number = 0;
  readonly #availWord: number = 0;
  readonly #usedWord: number = 0;
  readonly #inOrder: boolean = false;
  readonly #access: number = 0;
  /** NEXT, WRITE and INDIRECT of a plain descriptor. */
  readonly #flags: number = 0;
  readonly #minBytes: number = 0;
  readonly #maxBytes: number = 0;

  /** `device` works on the same `place`, and `space` translates for both. */
  constructor(arena: Arena, device: SplitDevice, space: AddressSpace, place: RingPlace, rules: PlainRules) {
    this.#device = device;
    this.#space = space;
    this.#marks = new SlotMarks(place.size);
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#mask = place.size - 1;
    this.#descWord = place.descOffset >>> 2;
    this.#availWord = (place.driverOffset + 4) >>> 1;
    this.#usedWord = (place.deviceOffset + 4) >>> 2;
    this.#inOrder = place.features.inOrder;
    this.#access = rules.writable ? ACCESS_WRITE : ACCESS_READ;
    this.#flags = rules.writable ? VIRTQ_DESC_F_WRITE : 0;
    this.#minBytes = rules.minBytes;
    this.#maxBytes = rules.maxBytes;
  }

  peek(burst: PlainBurst, max: number): number {
    burst.count = 0;
    const visible = this.#device.available();
    burst.visible = visible;
    const limit = Math.min(visible, max, burst.capacity);
    if (limit === 0 || !this.#device.isLevel) return 0;
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
    return found;
  }

  /** Looks at buffers from number `from` of the burst on; answers the number of the first that is not plain. */
  #scan(burst: PlainBurst, from: number, limit: number): number {
    const { slot, offset, length } = burst;
    const u16 = this.#u16;
    const u32 = this.#u32;
    const marks = this.#marks.marks;
    const mark = this.#marks.current;
    const mask = this.#mask | 0;
    const descWord = this.#descWord | 0;
    const availWord = this.#availWord | 0;
    const position = this.#device.position | 0;
    const flags = this.#flags | 0;
    const window = this.#window;
    const high = window.high >>> 0;
    const low = window.low >>> 0;
    const base = window.offset >>> 0;
    const windowBytes = window.bytes >>> 0;
    const minBytes = this.#minBytes >>> 0;
    const maxBytes = Math.min(this.#maxBytes, windowBytes) >>> 0;
    let i = from | 0;
    for (; i < limit; i++) {
      const head = u16[availWord + ((position + i) & mask)];
      if (head > mask || marks[head] === mark) break;
      const w = descWord + (head << 2);
      const inWindow = (u32[w] - low) >>> 0;
      const bytes = u32[w + 2];
      if (u32[w + 1] !== high || (u32[w + 3] & FLAGS) !== flags) break;
      if (bytes < minBytes || bytes > maxBytes || inWindow > (windowBytes - bytes) >>> 0) break;
      marks[head] = mark;
      slot[i] = head;
      offset[i] = base + inWindow;
      length[i] = bytes;
    }
    return i;
  }

  /** Moves the window to where buffer `number` lies; false when the buffer cannot be plain there either. */
  #moveWindow(number: number): boolean {
    const head = this.#u16[this.#availWord + ((this.#device.position + number) & this.#mask)];
    if (head > this.#mask) return false;
    const w = this.#descWord + (head << 2);
    return this.#space.windowAt(this.#u32[w + 1], this.#u32[w], this.#access, this.#window);
  }

  finishRead(burst: PlainBurst, count: number): void {
    if (count === 0) return;
    const { slot } = burst;
    const u32 = this.#u32;
    const mask = this.#mask | 0;
    const ring = this.#usedWord | 0;
    const position = this.#device.position | 0;
    if (this.#inOrder) {
      // one entry closes the batch: the last buffer's, at the place of the first (virtio 1.3, 2.7.9)
      const w = ring + ((position & mask) << 1);
      u32[w] = slot[count - 1];
      u32[w + 1] = 0;
      this.#device.moveOn(count, 1);
      return;
    }
    for (let i = 0; i < count; i++) {
      const w = ring + (((position + i) & mask) << 1);
      u32[w] = slot[i];
      u32[w + 1] = 0;
    }
    this.#device.moveOn(count, count);
  }

  finishWritten(burst: PlainBurst, count: number, written: Uint32Array): void {
    if (count === 0) return;
    const { slot } = burst;
    const u32 = this.#u32;
    const mask = this.#mask | 0;
    const ring = this.#usedWord | 0;
    const position = this.#device.position | 0;
    for (let i = 0; i < count; i++) {
      const w = ring + (((position + i) & mask) << 1);
      u32[w] = slot[i];
      u32[w + 1] = written[i];
    }
    this.#device.moveOn(count, count);
  }
}
