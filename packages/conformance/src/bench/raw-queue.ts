import type { Fd } from '@vhostlab/host';
import type { PayloadOf } from '@vhostlab/vhost-user';
import type { RingFormat, RingLayout } from '@vhostlab/virtqueue';
import type { GuestMemory, Range } from './guest-memory.ts';

/** One piece of a buffer, which may be anything a guest can write. */
export interface Segment {
  readonly address: number | bigint;
  readonly bytes: number;
  /** The device may write it. */
  readonly writable: boolean;
  /** Flags beside NEXT and WRITE: INDIRECT. */
  readonly flags?: number;
}

/** What the device gave back. */
export interface Used {
  readonly id: number;
  readonly length: number;
}

/** Guest-physical addresses of a ring's areas. */
export interface RingAddresses {
  readonly desc: number;
  readonly driver: number;
  readonly device: number;
}

/** Eventfds of a ring; their owner is the bench. */
export interface RingEvents {
  readonly kick: Fd;
  readonly call: Fd;
  readonly err: Fd;
}

/**
 * The driver's side of a ring, word by word: writes what a check says, right or wrong, and judges what comes back.
 * Nothing here trusts the device, and nothing keeps a check from breaking every rule of a driver.
 */
export interface RawQueue {
  readonly index: number;
  readonly format: RingFormat;
  readonly size: number;
  readonly layout: RingLayout;
  readonly memory: GuestMemory;
  readonly at: RingAddresses;
  readonly events: RingEvents;
  /** What the device did that no device may, in words. */
  readonly violations: readonly string[];
  /** Buffers that are with the device. */
  readonly outstanding: number;
  /** The `num` of SET_VRING_BASE. */
  readonly base: number;
  /** Makes one buffer available, in the next free descriptors; answers its id. */
  offer(segments: readonly Segment[]): number;
  /** Takes what the device gave back since the last call, and judges it. */
  collect(): Used[];
  /** What the device may write: device area, and buffers that were offered as writable. */
  mayChange(): Range[];
  /** Signals the kick eventfd. */
  kick(): void;
}

/** The payload of SET_VRING_ADDR for a ring. */
export function ringAddress(queue: RawQueue): PayloadOf<'addr'> {
  const { memory, at, index } = queue;
  return {
    kind: 'addr',
    index,
    flags: 0,
    desc: memory.uva(at.desc),
    used: memory.uva(at.device),
    avail: memory.uva(at.driver),
    logGuestAddr: 0n,
  };
}

/** Bytes of the segments that the device may write. */
export function writableBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, { writable, bytes }) => sum + (writable ? bytes : 0), 0);
}

/** Ranges of the segments that the device may write. */
export function writableRanges(segments: readonly Segment[]): Range[] {
  return segments
    .filter(({ writable }) => writable)
    .map(({ address, bytes }) => ({ gpa: Number(address), bytes }));
}
