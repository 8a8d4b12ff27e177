import type { Direction } from '../observe/ring-to-observe.ts';

/**
 * A ring at one moment. Places: a split ring's indices, 0 to 65535; of a packed ring 0 to twice its size, below the size
 * with wrap counter 1.
 */
export interface QueueMoment {
  readonly avail: number;
  readonly used: number;
  readonly driverFlags: number;
  /** Event word as a place: the driver's `used_event`; -1: the ring has none. */
  readonly driverEvent: number;
  readonly deviceFlags: number;
  /** The device's `avail_event`. */
  readonly deviceEvent: number;
  /** Packed: the driver is writing a list, so that no place can be told. Such a moment proves that it runs. */
  readonly isHidden: boolean;
  /** Nothing was ever offered. */
  readonly isFresh: boolean;
  /** Signals that nobody has read yet, in all eventfds on the way; null: not known which they are. */
  readonly kickPending: number | null;
  readonly callPending: number | null;
}

/** A notification that a tap did something to, and the ring as it was then. */
export interface TamperedSignal {
  /** The tap's rule, such as `drop kick queue=1 nth=3`. */
  readonly rule: string;
  readonly avail: number;
  readonly used: number;
}

/** A ring looked at twice. */
export interface QueueLook {
  readonly queue: number;
  /** RX and TX are the guest's. */
  readonly direction: Direction;
  readonly format: 'split' | 'packed';
  readonly size: number;
  /** VIRTIO_F_EVENT_IDX. */
  readonly hasEvents: boolean;
  /** False: SET_VRING_ENABLE 0; null: not known. */
  readonly isEnabled: boolean | null;
  readonly first: QueueMoment;
  readonly second: QueueMoment;
  /** The last kick and the last call that a tap's rule has met; null: none, or no tap that says so. */
  readonly tamperedKick: TamperedSignal | null;
  readonly tamperedCall: TamperedSignal | null;
}

const SPLIT_INDICES = 0x10000;

/** Steps from one place on to another. */
export function distance(
  { format, size }: Pick<QueueLook, 'format' | 'size'>,
  from: number,
  to: number,
): number {
  const around = format === 'split' ? SPLIT_INDICES : 2 * size;
  return (((to - from) % around) + around) % around;
}

/** Buffers (packed: descriptors) that the device has and has not used. */
export function waiting(look: QueueLook, { used, avail }: QueueMoment = look.second): number {
  return distance(look, used, avail);
}

/** A place for people; packed ones with their wrap counter. */
export function placeText({ format, size }: Pick<QueueLook, 'format' | 'size'>, place: number): string {
  if (format === 'split') return String(place);
  return place < size ? `${place}:1` : `${place - size}:0`;
}
