import type { PayloadKind } from '../registry/kinds.ts';

/** A region of guest memory as a message describes it. All in bytes. */
export interface MemRegion {
  readonly guestPhysAddr: bigint;
  readonly memorySize: bigint;
  /** The front end's virtual address. */
  readonly userspaceAddr: bigint;
  /** Where the region begins in the file that comes with it. */
  readonly mmapOffset: bigint;
}

/** Two numbers of a ring: what `num` means depends on the message. */
export interface VringState {
  readonly kind: 'state';
  readonly index: number;
  readonly num: number;
}

/** Front-end virtual addresses of a ring, or I/O virtual ones with VIRTIO_F_ACCESS_PLATFORM. */
export interface VringAddr {
  readonly kind: 'addr';
  readonly index: number;
  /** Bit 0 (VHOST_VRING_F_LOG): the used ring is logged at `logGuestAddr`. */
  readonly flags: number;
  readonly desc: bigint;
  readonly used: bigint;
  readonly avail: bigint;
  readonly logGuestAddr: bigint;
}

/** A ring and whether a descriptor comes with the message. */
export interface VringFd {
  readonly kind: 'vring-fd';
  readonly index: number;
  /** Bit 8: no descriptor; poll (kick) or do not notify (call, err). */
  readonly noFd: boolean;
  /** Bits 9 to 63 as they came, shifted down: 0 in correct messages. */
  readonly reserved: bigint;
}

export interface Iotlb {
  readonly kind: 'iotlb';
  readonly iova: bigint;
  readonly size: bigint;
  readonly uaddr: bigint;
  /** 0 none, 1 read-only, 2 write-only, 3 both. */
  readonly perm: number;
  /** IOTLB_… */
  readonly type: number;
}

export interface ConfigPayload {
  readonly kind: 'config';
  readonly offset: number;
  /** Bytes of configuration meant; `region` has as many, except in a reply that reports an error: none. */
  readonly size: number;
  /** 0: written by the front end's driver; 1: by a migration. */
  readonly flags: number;
  readonly region: Uint8Array;
}

export interface InflightPayload {
  readonly kind: 'inflight';
  readonly mmapSize: bigint;
  readonly mmapOffset: bigint;
  readonly numQueues: number;
  readonly queueSize: number;
}

/** A payload by its kind. u64 fields are bigint; this is the control path. */
export type Payload =
  | { readonly kind: 'empty' }
  | { readonly kind: 'u64'; readonly value: bigint }
  | VringFd
  | { readonly kind: 'mac'; readonly mac: Uint8Array }
  | { readonly kind: 'state-fd'; readonly error: number; readonly noFd: boolean }
  | VringState
  | VringAddr
  | { readonly kind: 'mem-table'; readonly regions: readonly MemRegion[] }
  | { readonly kind: 'mem-region'; readonly region: MemRegion }
  | { readonly kind: 'log'; readonly mmapSize: bigint; readonly mmapOffset: bigint }
  | Iotlb
  | ConfigPayload
  | {
      readonly kind: 'vring-area';
      readonly index: number;
      readonly noFd: boolean;
      readonly size: bigint;
      readonly offset: bigint;
    }
  | InflightPayload
  | { readonly kind: 'transfer'; readonly direction: number; readonly phase: number }
  | { readonly kind: 'uuid'; readonly uuid: Uint8Array }
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array };

/** The payload of one kind. */
export type PayloadOf<K extends PayloadKind> = Extract<Payload, { kind: K }>;

/** SET_VRING_ADDR flags: VHOST_VRING_F_LOG is bit number 0. */
export const VRING_F_LOG = 1;

/** Types of an IOTLB message. */
export const IOTLB_MISS = 1;
export const IOTLB_UPDATE = 2;
export const IOTLB_INVALIDATE = 3;
export const IOTLB_ACCESS_FAIL = 4;

/** SET_DEVICE_STATE_FD directions, and the one phase that is defined. */
export const TRANSFER_SAVE = 0;
export const TRANSFER_LOAD = 1;
export const TRANSFER_PHASE_STOPPED = 0;

/** The payload without bytes. */
export const EMPTY: PayloadOf<'empty'> = Object.freeze({ kind: 'empty' });

/** A u64 payload. */
export function u64Payload(value: bigint | number): PayloadOf<'u64'> {
  return { kind: 'u64', value: BigInt(value) };
}
