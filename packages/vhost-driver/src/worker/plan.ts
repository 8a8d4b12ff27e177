import type { IndirectTables, RingFeatures, RingFormat } from '@vhostlab/virtqueue';
import type { TxLayout, Workload } from '../options.ts';

/** A ring of the guest, as plain data: where it lies in the arena. */
export interface QueuePlan {
  /** Number on the device: receiveq of pair p is 2p, its transmitq 2p + 1. */
  readonly index: number;
  readonly format: RingFormat;
  readonly size: number;
  readonly descOffset: number;
  readonly driverOffset: number;
  readonly deviceOffset: number;
  readonly tables?: IndirectTables;
}

/** Buffers of one size, dealt to areas in turn: buffer i is the (i / areas)th of area i % areas. */
export interface BufferPlan {
  readonly count: number;
  /** Distance of one buffer from the next in its area: an odd number of cache lines. */
  readonly strideBytes: number;
  /** From the start of a buffer to its frame, which begins at a cache line; the header ends there. */
  readonly frameAt: number;
  /** Bytes of frame that a buffer holds. */
  readonly frameBytes: number;
  /** Arena offset and guest address of each area. */
  readonly areas: readonly { readonly offset: number; readonly gpa: number }[];
}

/** A queue pair and its buffers. */
export interface PairPlan {
  readonly rx: QueuePlan;
  readonly tx: QueuePlan;
  readonly rxBuffers: BufferPlan;
  readonly txBuffers: BufferPlan;
}

/** All that a worker thread is made of; plain data, so that it can cross to the thread. */
export interface WorkerPlan {
  readonly arenaAddress: number;
  readonly arenaBytes: number;
  readonly cpu: number | undefined;
  readonly wait: 'poll' | 'interrupt';
  readonly burst: number;
  readonly txLayout: TxLayout;
  readonly workload: Workload;
  /** Private memory of the thread in the arena. */
  readonly scratchOffset: number;
  readonly scratchBytes: number;
  /** Float64 counters of all queues (counters.ts). */
  readonly counters: SharedArrayBuffer;
  readonly pairs: readonly PairPlan[];
  /** Pairs of all workers together, for sharing out a stream. */
  readonly pairCount: number;
  /** Descriptor of the capture file, -1: none. */
  readonly captureNumber: number;
}

/** What a back end agreed to, as far as the data path needs it. */
export interface Agreement {
  readonly ring: RingFeatures;
  /** Bytes of the virtio_net_hdr: 10 or 12. */
  readonly headerBytes: 10 | 12;
  /** VIRTIO_NET_F_MRG_RXBUF. */
  readonly mergeable: boolean;
  /** VIRTIO_NET_F_CSUM, and one of HOST_TSO4/6 and GUEST_CSUM. */
  readonly csum: boolean;
  readonly tso: boolean;
  readonly guestCsum: boolean;
}
