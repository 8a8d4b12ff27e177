import type { PortSpec } from '../ports/port-spec.ts';

/** How a worker waits for work. */
export type WorkerMode =
  /** It looks at its rings all the time; drivers are asked for no kicks. */
  | 'poll'
  /** It sleeps until a kick, a port or a moment wakes it. */
  | 'interrupt'
  /** It polls, and sleeps after a while without work. */
  | 'adaptive';

/** What a worker thread is started with: plain data. */
export interface WorkerConfig {
  readonly worker: number;
  readonly workers: number;
  readonly mode: WorkerMode;
  /** CPUs that it may run on; empty: any. */
  readonly cpus: readonly number[];
  /** The arena of the process, and the part of it that is this worker's own (`ownBytes` at `ownOffset`). */
  readonly arena: { readonly address: number; readonly sizeBytes: number };
  readonly ownOffset: number;
  readonly ownBytes: number;
  readonly statistics: SharedArrayBuffer;
  readonly devices: number;
  readonly queuePairs: number;
  readonly port: PortSpec;
  /** Longest frame that it carries. */
  readonly frameBytes: number;
  /** Nanoseconds without work after which an adaptive worker sleeps. */
  readonly spinNs: number;
}
