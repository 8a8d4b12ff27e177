import type { Channel } from '@vhostlab/vhost-user';
import type { Sender } from '../flow/rules.ts';

/** A number beyond 2^53, or an address: hexadecimal text with 0x in front. */
export type Hex = string;

/** What came with a message as a descriptor. */
export interface FdNote {
  readonly kind: 'file' | 'socket' | 'pipe' | 'character device' | 'eventfd' | 'other';
  /** Of a file. */
  readonly bytes?: number;
  readonly pageBytes?: number;
  readonly inode?: number;
  /** Of an eventfd: what every process that has it calls it. */
  readonly id?: string;
}

/** Bytes of guest memory, kept in `memory.bin`. */
export interface MemoryNote {
  readonly gpa: Hex;
  /** Place in `memory.bin`. */
  readonly at: number;
  readonly bytes: number;
}

/** A descriptor as the driver wrote it. `last`: next of a split ring, id of a packed one. */
export interface DescriptorNote {
  readonly slot: number;
  readonly address: Hex;
  readonly length: number;
  readonly flags: number;
  readonly last: number;
}

interface Timed {
  /** Number of the front end's connection, from 1. */
  readonly session: number;
  /** Nanoseconds since the tap began. */
  readonly t: number;
}

/** First line: what the record is of. */
export interface HeadLine {
  readonly kind: 'record';
  readonly version: 1;
  readonly startedMs: number;
  readonly listen: string;
  readonly connect: string;
  readonly notifications: boolean;
  readonly sampleHz: number;
}

export interface MessageLine extends Timed {
  readonly kind: 'message';
  readonly channel: Channel;
  readonly from: Sender;
  readonly name: string;
  /** Header and payload, hexadecimal. */
  readonly bytes: string;
  readonly fds: readonly FdNote[];
}

/** A ring begins: what was agreed on it, and its three areas as they were. */
export interface RingStartLine extends Timed {
  readonly kind: 'ring-start';
  readonly queue: number;
  readonly format: 'split' | 'packed';
  readonly size: number;
  readonly features: Hex;
  readonly base: number | null;
  /** Guest addresses. */
  readonly desc: Hex;
  readonly driver: Hex;
  readonly device: Hex;
  readonly memory: readonly MemoryNote[];
}

export interface RingStopLine extends Timed {
  readonly kind: 'ring-stop';
  readonly queue: number;
}

/** A buffer that the driver offered. */
export interface OfferLine extends Timed {
  readonly kind: 'offer';
  readonly queue: number;
  /** Split: index in the available ring. Packed: descriptor, bit 15 its wrap counter. */
  readonly place: number;
  /** Buffers that went by unseen since the last one. */
  readonly missed: number;
  readonly descriptors: readonly DescriptorNote[];
  /** Indirect tables and device-readable bytes. */
  readonly memory: readonly MemoryNote[];
  /** Bytes that the device may write. */
  readonly writable: number;
}

/** The driver's notification words: flags, and event word (-1: none). */
export interface WordsLine extends Timed {
  readonly kind: 'words';
  readonly queue: number;
  readonly flags: number;
  readonly event: number;
}

/** How far the device is: what it has used, and what it has left. */
export interface ProgressLine extends Timed {
  readonly kind: 'progress';
  readonly queue: number;
  /** The device's place: index of a split ring; descriptor of a packed one, bit 15 its wrap counter. */
  readonly used: number;
  /** Buffers of a split ring, or descriptors of a packed one, that are made available and not used. */
  readonly outstanding: number;
}

export interface NotificationLine extends Timed {
  readonly kind: 'kick' | 'call';
  readonly queue: number;
  readonly count: number;
}

/** The tap has stepped into a descriptor: the other peer got this eventfd in its place. */
export interface StepLine extends Timed {
  readonly kind: 'step';
  readonly name: string;
  readonly queue: number;
  readonly id: string;
}

export interface ViolationLine extends Timed {
  readonly kind: 'violation';
  readonly code: string;
  readonly party: string;
  readonly queue: number | null;
  readonly text: string;
  readonly clause: string;
}

/** A kick or call that a rule has met, and the ring at that moment: places as a sample has them, -1 where not known. */
export interface SignalNote {
  readonly rule: string;
  readonly kind: 'kick' | 'call';
  readonly queue: number;
  readonly avail: number;
  readonly used: number;
}

export interface NoteLine extends Timed {
  readonly kind: 'open' | 'close' | 'note' | 'inject';
  readonly text: string;
  /** Of `inject`, when it was about a kick or a call. */
  readonly signal?: SignalNote;
}

export type RecordLine =
  | HeadLine
  | MessageLine
  | RingStartLine
  | RingStopLine
  | OfferLine
  | WordsLine
  | ProgressLine
  | NotificationLine
  | StepLine
  | ViolationLine
  | NoteLine;

/** `0x…` of an address. */
export function hex(value: number | bigint): Hex {
  return `0x${value.toString(16)}`;
}
