import type { Arena } from '@vhostlab/memory';
import { FeatureSet } from '@vhostlab/virtio-net';
import { PackedScan } from '../observe/packed-scan.ts';
import type { QueueMoment } from './queue-look.ts';

/** A ring in an arena, as far as its indices and event words go. */
export interface QueuePlace {
  readonly queue: number;
  readonly format: 'split' | 'packed';
  readonly size: number;
  /** VIRTIO_F_EVENT_IDX. */
  readonly hasEvents: boolean;
  readonly descOffset: number;
  readonly driverOffset: number;
  readonly deviceOffset: number;
}

/** What the ring alone says. */
export type RingWords = Omit<QueueMoment, 'kickPending' | 'callPending'>;

const ATTEMPTS = 8;

/** Reads indices and event words of a ring as they are now, and nothing else. */
export function readQueue(arena: Arena, place: QueuePlace): RingWords {
  return place.format === 'split' ? readSplit(arena, place) : readPacked(arena, place);
}

function readSplit({ u16 }: Arena, { size, driverOffset, deviceOffset, hasEvents }: QueuePlace): RingWords {
  const driver = driverOffset >>> 1;
  const device = deviceOffset >>> 1;
  let used = Atomics.load(u16, device + 1);
  let avail = Atomics.load(u16, driver + 1);
  // a moment, not two: else a thread that was held up in between sees more available than the ring can hold
  for (let i = 0; i < ATTEMPTS && Atomics.load(u16, device + 1) !== used; i++) {
    used = Atomics.load(u16, device + 1);
    avail = Atomics.load(u16, driver + 1);
  }
  return {
    used,
    avail,
    driverFlags: Atomics.load(u16, driver),
    driverEvent: hasEvents ? Atomics.load(u16, driver + 2 + size) : -1,
    deviceFlags: Atomics.load(u16, device),
    deviceEvent: hasEvents ? Atomics.load(u16, device + 2 + 4 * size) : -1,
    isHidden: false,
    isFresh: avail === 0 && used === 0,
  };
}

function readPacked(arena: Arena, place: QueuePlace): RingWords {
  const { size, driverOffset, deviceOffset, hasEvents } = place;
  const scan = new PackedScan(arena, {
    ...place,
    direction: 'tx',
    features: FeatureSet.EMPTY,
    knowsAllMemory: false,
  });
  scan.scan();
  const driver = Atomics.load(arena.u32, driverOffset >>> 2);
  const device = Atomics.load(arena.u32, deviceOffset >>> 2);
  const placeOf = (word: number) => {
    if (!hasEvents) return -1;
    return Math.min(word & 0x7fff, size - 1) + ((word & 0x8000) === 0 ? size : 0);
  };
  const isHidden = scan.avail < 0;
  return {
    avail: isHidden ? 0 : scan.avail,
    used: isHidden ? 0 : scan.runStart(),
    driverFlags: (driver >>> 16) & 3,
    driverEvent: placeOf(driver & 0xffff),
    deviceFlags: (device >>> 16) & 3,
    deviceEvent: placeOf(device & 0xffff),
    isHidden,
    isFresh: scan.words.every((word) => word >>> 16 === 0),
  };
}
