import type { CloseReason, FrontendSession } from '@vhostlab/vhost-user';
import type { FeatureSet } from '@vhostlab/virtio-net';
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { QueuePlan } from '../worker/plan.ts';
import type { InflightRegion } from './inflight-region.ts';
import type { RingEvents } from './ring-events.ts';

/** A back end that takes the guest's memory and rings: a peer behind a socket, or the kernel. */
export interface BackendSession {
  /** Resolves when it is gone, or has been closed. */
  readonly finished: Promise<CloseReason>;
  /** Its messages; undefined: it has none. */
  readonly messages: FrontendSession | undefined;
  /**
   * What both can do. `before` are the features of the back end that served the same rings last: another one must offer
   * all of them. Throws a FrontendError in one sentence.
   */
  agree(before: FeatureSet | undefined): Promise<FeatureSet>;
  /** Hands it what the one before had in flight. Throws a FrontendError: it has no such thing. */
  handInflight(region: InflightRegion): Promise<void>;
  /** Memory and rings, each at its base; then the rings run. */
  begin(
    memory: GuestMemory,
    rings: readonly QueuePlan[],
    bases: readonly number[],
    events: readonly RingEvents[],
  ): Promise<void>;
  /** Stops all rings; where each stands, as GET_VRING_BASE answers. */
  stopRings(rings: readonly QueuePlan[]): Promise<number[]>;
  close(text: string): void;
}

/** Where back ends come from. */
export interface BackendSource {
  /** The next one. Throws a FrontendError when it takes longer than `timeoutMs`; undefined: the source was closed. */
  next(timeoutMs: number): Promise<BackendSession | undefined>;
  /** Takes none any more. */
  close(): void;
}
