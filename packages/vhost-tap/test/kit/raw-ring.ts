import { Arena } from '@vhostlab/memory';
import { type FeatureName, FeatureSet } from '@vhostlab/virtio-net';
import { type RingFormat, ringLayout } from '@vhostlab/virtqueue';
import {
  createRingObserver,
  type Direction,
  type RingObserver,
  type RingViolation,
} from '../../src/index.ts';
import { GUEST, memoryOf } from './traffic.ts';

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;
export const AVAIL = 0x80;
export const USED = 0x8000;
/** Guest address of memory that nothing else uses: all zero, so a good virtio_net_hdr. */
export const BUFFER = GUEST + 0x8000;
export const TABLE = GUEST + 0x4000;
const RING = 4096;

export interface RawOptions {
  format?: RingFormat;
  size?: number;
  direction?: Direction;
  features?: readonly FeatureName[];
  base?: number | null;
}

/** A ring that a test writes word by word, with an observer. */
export class RawRing {
  readonly arena = new Arena(new ArrayBuffer(1 << 20));
  readonly format: RingFormat;
  readonly size: number;
  readonly desc: number;
  readonly driver: number;
  readonly device: number;
  readonly observer: RingObserver;
  readonly found: RingViolation[] = [];
  #now = 1;

  /** `prepare` writes what is there before the observer's first look. */
  constructor(options: RawOptions = {}, prepare: (ring: RawRing) => void = () => {}) {
    const { format = 'split', size = 8, direction = 'tx', features = [] } = options;
    this.format = format;
    this.size = size;
    const layout = ringLayout(format, size, true);
    this.desc = RING + layout.desc.offset;
    this.driver = RING + layout.driver.offset;
    this.device = RING + layout.device.offset;
    const names: FeatureName[] = ['VERSION_1', 'MRG_RXBUF', ...features];
    if (format === 'packed') names.push('RING_PACKED');
    const base = options.base === undefined ? (format === 'split' ? 0 : 0x8000) : options.base;
    this.observer = createRingObserver(this.arena, memoryOf(this.arena), {
      queue: direction === 'rx' ? 0 : 1,
      format,
      size,
      descOffset: this.desc,
      driverOffset: this.driver,
      deviceOffset: this.device,
      direction,
      features: FeatureSet.fromNames(names),
      ...(base === null ? {} : { base }),
      knowsAllMemory: true,
    });
    prepare(this);
    this.look();
  }

  u16(offset: number, value: number): void {
    this.arena.u16[offset >>> 1] = value;
  }

  u32(offset: number, value: number): void {
    this.arena.u32[offset >>> 2] = value;
  }

  /** A descriptor at any offset; `last` is next (split) or id (packed). */
  descAt(at: number, address: number, length: number, flags: number, last = 0): void {
    this.u32(at, address);
    this.u32(at + 4, address / 2 ** 32);
    this.u32(at + 8, length);
    this.u16(at + 12, this.format === 'split' ? flags : last);
    this.u16(at + 14, this.format === 'split' ? last : flags);
  }

  put(slot: number, address: number, length: number, flags: number, last = 0): void {
    this.descAt(this.desc + 16 * slot, address, length, flags, last);
  }

  /** Entry `at` of the table at TABLE. */
  entry(at: number, address: number, length: number, flags: number, last = 0): void {
    this.descAt(TABLE - GUEST + 16 * at, address, length, flags, last);
  }

  /** A plain frame of 60 bytes in `slot`; packed: not yet available. */
  frame(slot: number): void {
    this.put(slot, BUFFER + 256 * slot, 72, 0);
  }

  /** Split: offers heads from index `from` on. */
  offer(from: number, ...heads: number[]): void {
    heads.forEach((head, i) => {
      this.u16(this.driver + 4 + 2 * ((from + i) % this.size), head);
    });
    this.u16(this.driver + 2, from + heads.length);
  }

  /** Split: used entries from index `from` on. */
  use(from: number, ...entries: (readonly [id: number, length: number])[]): void {
    entries.forEach(([id, length], i) => {
      const at = this.device + 4 + 8 * ((from + i) % this.size);
      this.u32(at, id);
      this.u32(at + 4, length);
    });
    this.u16(this.device + 2, from + entries.length);
  }

  /** One sample, a millisecond later. */
  look(): RingViolation[] {
    this.#now += 1e6;
    const { violations } = this.observer.sample(this.#now);
    this.found.push(...violations);
    return violations;
  }

  /** Looks until everything that has to settle has; answers the codes of all that was said, each once. */
  codes(): string[] {
    for (let i = 0; i < 120; i++) this.look();
    return [...new Set(this.found.map((each) => each.code))];
  }
}
