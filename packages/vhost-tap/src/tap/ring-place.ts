import { F_ACCESS_PLATFORM, F_EVENT_IDX, F_RING_PACKED, type VringAddr } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import { ringLayout, ringPlaceProblem } from '@vhostlab/virtqueue';
import type { RingFacts, SessionState } from '../flow/session-state.ts';
import type { WatchedMemory } from '../memory/watched-memory.ts';
import type { RingToObserve } from '../observe/ring-to-observe.ts';

/** A ring in the arena, or why it cannot be watched. `isViolation`: the front end put it where no ring can be. */
export type PlacedRing =
  | { readonly ring: RingToObserve }
  | { readonly problem: string; readonly isViolation: boolean };

/** Finds the areas of a ring. `isStarting`: its device is about to start at the base; else it has been running. */
export function placeRing(
  facts: RingFacts,
  state: SessionState,
  memory: WatchedMemory,
  isStarting: boolean,
): PlacedRing {
  const { index, size, addr } = facts;
  if (size === null || addr === null) {
    return { problem: `ring ${index} starts without size or addresses`, isViolation: false };
  }
  if ((state.features & F_ACCESS_PLATFORM) !== 0n) {
    return { problem: `ring ${index} has I/O virtual addresses, which are not followed`, isViolation: false };
  }
  const format = (state.features & F_RING_PACKED) === 0n ? 'split' : 'packed';
  const eventIdx = (state.features & F_EVENT_IDX) !== 0n;
  try {
    const layout = ringLayout(format, size, eventIdx);
    const offsets = {
      descOffset: memory.ofUser(addr.desc, layout.desc.bytes),
      driverOffset: memory.ofUser(addr.avail, layout.driver.bytes),
      deviceOffset: memory.ofUser(addr.used, layout.device.bytes),
    };
    const outside = Object.entries(offsets).find(([, offset]) => offset < 0);
    if (outside !== undefined) {
      return { problem: `ring ${index}: ${describe(addr)} is not all in shared memory`, isViolation: true };
    }
    const problem = ringPlaceProblem(format, size, eventIdx, offsets, memory.arena.sizeBytes);
    if (problem !== undefined) return { problem: `ring ${index}: ${problem}`, isViolation: true };
    return {
      ring: {
        queue: index,
        format,
        size,
        ...offsets,
        direction: index % 2 === 0 ? 'rx' : 'tx',
        features: FeatureSet.fromBigInt(state.lastingFeatures),
        ...(isStarting ? { base: facts.base ?? (format === 'split' ? 0 : 0x8000) } : {}),
        knowsAllMemory: true,
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { problem: `ring ${index}: ${error.message}`, isViolation: true };
  }
}

function describe({ desc, avail, used }: VringAddr): string {
  const at = (address: bigint) => `0x${address.toString(16)}`;
  return `descriptors at ${at(desc)}, driver area at ${at(avail)}, device area at ${at(used)}`;
}
