import type {
  InflightArea,
  IotlbRange,
  LogArea,
  RingAreas,
  RingBase,
  RingPlacement,
} from '@vhostlab/vhost-user';

/** A region of guest memory as a worker needs it. */
export interface RegionPlace {
  readonly gpa: number;
  readonly bytes: number;
  readonly arenaOffset: number;
}

/** All that a worker needs to start a ring; descriptors are numbers that the main thread keeps open. */
export interface RingStart {
  readonly index: number;
  readonly size: number;
  readonly format: 'split' | 'packed';
  readonly areas: RingAreas;
  readonly base: RingBase;
  readonly enabled: boolean;
  /** -1: none. */
  readonly kick: number;
  readonly call: number;
  readonly err: number;
  readonly usedLogGpa: number | null;
}

/** What the main thread tells a worker, always about one device of the process. Each is answered when it is done. */
export type WorkerCommand = { readonly device: number } & (
  | { readonly do: 'features'; readonly features: bigint }
  | {
      readonly do: 'memory';
      readonly regions: readonly RegionPlace[];
      readonly rings: readonly RingPlacement[];
    }
  | {
      readonly do: 'iotlb';
      readonly kind: 'update' | 'invalidate';
      readonly ranges: readonly IotlbRange[];
      readonly rings: readonly RingPlacement[];
    }
  | { readonly do: 'start'; readonly ring: RingStart }
  /** Answered with the base (RingBase). */
  | { readonly do: 'stop'; readonly index: number }
  | { readonly do: 'enable'; readonly index: number; readonly on: boolean }
  | { readonly do: 'call'; readonly index: number; readonly fd: number }
  | { readonly do: 'err'; readonly index: number; readonly fd: number }
  | { readonly do: 'kick'; readonly index: number }
  | { readonly do: 'log'; readonly log: LogArea | null }
  | { readonly do: 'ring-log'; readonly index: number; readonly usedLogGpa: number | null }
  | { readonly do: 'inflight'; readonly area: InflightArea | null }
  | { readonly do: 'rarp'; readonly mac: Uint8Array }
  | { readonly do: 'reset' }
);

/**
 * What the main thread tells a worker about itself: `ready` is answered once its ports are there, `end` before it closes
 * everything and its thread ends.
 */
export type WorkerOrder = 'ready' | 'end';

/** What a worker tells on its own. */
export type WorkerNote =
  /** A ring broke: a peer's fault, by name. */
  | { readonly note: 'violation'; readonly device: number; readonly index: number; readonly reason: string }
  /** Translations that are missing (VIRTIO_F_ACCESS_PLATFORM). */
  | { readonly note: 'iotlb-miss'; readonly device: number; readonly iova: number; readonly write: boolean }
  /** A port has no more to do (a capture that was played, a count that was reached). */
  | { readonly note: 'port-done'; readonly device: number; readonly pair: number; readonly text: string };
