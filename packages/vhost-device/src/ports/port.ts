import type { FrameBatch } from '../frames/frame-batch.ts';

/** What stands behind a queue pair of the device. It lives in the worker of the pair and never waits. */
export interface Port {
  /** Takes all frames that the guest sent; the batch is the caller's again afterwards. */
  fromGuest(batch: FrameBatch): void;
  /** Fills `batch` with frames for the guest, `max` at most, and sets its count. */
  toGuest(batch: FrameBatch, max: number): void;
  /** What the guest negotiated, before its rings start: offloads that a port may use. */
  negotiated(features: bigint): void;
  /** Descriptor that is readable when `toGuest` has something; -1: none. */
  readonly waitNumber: number;
  /** Nanoseconds until `toGuest` has something by the clock: 0 now, Infinity never. */
  dueInNs(nowNs: number): number;
  /** Frames that it is not asked for stay with it, so it is asked for no more than the guest has buffers for. */
  readonly keeps: boolean;
  /** Drops of the port itself, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** One sentence once the port will never have anything for the guest again; else undefined. */
  readonly finished: string | undefined;
  /** Writes out what is kept back. */
  flush(): void;
  close(): void;
}
