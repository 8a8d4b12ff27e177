import type { FrontendSession } from '@vhostlab/vhost-user';
import type { FeatureSet } from '@vhostlab/virtio-net';
import type { VerifyCounts } from '@vhostlab/workload';
import type { FrontendFigures, LatencyFigures } from './figures.ts';
import type { GuestMemory } from './memory/guest-memory.ts';
import type { RawRing } from './raw-ring.ts';
import type { AppReport } from './worker/app.ts';
import type { QueuePlan } from './worker/plan.ts';

/** Why a front end has nothing more to do by itself. */
export interface FrontendEnd {
  /**
   * `done`: the workload is complete. `lost`: the back end is gone and no other is taken. `failed`: a fault of this
   * side.
   */
  readonly why: 'done' | 'lost' | 'failed';
  readonly text: string;
}

/** What a front end leaves. */
export interface FrontendResult {
  readonly figures: FrontendFigures;
  readonly reports: readonly AppReport[];
  readonly latency: LatencyFigures | undefined;
  /** verify: what became of the frames. */
  readonly verified: VerifyCounts | undefined;
  /** The capture file is complete; true without one. */
  readonly isCaptureComplete: boolean;
  /** Answers to GET_VRING_BASE by ring; empty when the back end was gone. */
  readonly stoppedAt: readonly number[];
  /** Frames that the back end still held when the rings were stopped. */
  readonly undelivered: number;
}

/** A guest with its driver, attached to a vhost-user back end. */
export interface Frontend {
  readonly memory: GuestMemory;
  /** What driver and back end agreed on. */
  readonly features: FeatureSet;
  /** The session with the present back end: messages may be sent through it. */
  readonly session: FrontendSession;
  /** Rings by index: receiveq of pair p is 2p, its transmitq 2p + 1. */
  readonly rings: readonly QueuePlan[];
  /** Resolves when nothing will happen any more until `stop`. */
  readonly ended: Promise<FrontendEnd>;
  /** Counters as they are now; never stops a ring. */
  figures(): FrontendFigures;
  /** A ring whose words are the caller's, for workload `raw`. */
  rawRing(index: number): RawRing;
  /** Ends the workload, lets buffers come back, stops the rings and gives everything back. Again: the same result. */
  stop(): Promise<FrontendResult>;
}
