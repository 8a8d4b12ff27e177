import type { Arena } from '@vhostlab/memory';
import { ringPlaceProblem } from '@vhostlab/virtqueue';
import { PackedObserver } from './packed-observer.ts';
import type { RingObserver } from './ring-sample.ts';
import {
  DEFAULT_LIMITS,
  type FrameSink,
  type ObservedMemory,
  type ObserverLimits,
  type RingToObserve,
} from './ring-to-observe.ts';
import { SplitObserver } from './split-observer.ts';

/**
 * An observer of a ring. `sink` gets the frames that it could copy. Throws a RangeError when the ring cannot be where
 * it says; ask `ringPlaceProblem` first for places that come from a peer.
 */
export function createRingObserver(
  arena: Arena,
  memory: ObservedMemory,
  ring: RingToObserve,
  sink: FrameSink | null = null,
  limits: ObserverLimits = DEFAULT_LIMITS,
): RingObserver {
  const hasEvents = ring.features.has('EVENT_IDX');
  const problem = ringPlaceProblem(ring.format, ring.size, hasEvents, ring, arena.sizeBytes);
  if (problem !== undefined) throw new RangeError(problem);
  return ring.format === 'split'
    ? new SplitObserver(arena, memory, ring, limits, sink)
    : new PackedObserver(arena, memory, ring, limits, sink);
}
