import { VRING_F_LOG } from '../codec/payload.ts';
import { clauseOf } from '../codec/problem.ts';
import { type BackendState, STATUS_NEEDS_RESET } from './backend-state.ts';
import type { MemoryTable } from './memory-table.ts';
import { type Refusal, refuse } from './refusal.ts';
import { addressProblem, areasOverlap, type Placed, placeRing } from './ring-areas.ts';
import { decodeBase, encodeBase, initialBase, type RingBase } from './ring-base.ts';
import type { RingAreas, RingPlacement } from './ring-setup.ts';
import type { RingState } from './ring-state.ts';

/** Where a ring would be now. The ring has an address and a size. */
function place(state: BackendState, ring: RingState, memory: MemoryTable = state.memory): Placed {
  return placeRing(ring.address!, state.shape(ring), memory, state.usesIotlb ? state.iotlb : null);
}

/** Size and addresses that this ring cannot have in the format that was negotiated. */
export function shapeProblem(state: BackendState, ring: RingState): Refusal | null {
  if (
    ring.size !== 0 &&
    state.features !== null &&
    state.format === 'split' &&
    (ring.size & (ring.size - 1)) !== 0
  ) {
    const text = `ring ${ring.index} has ${ring.size} descriptors: a split ring needs a power of two`;
    return refuse('ring-size', clauseOf('SET_VRING_NUM'), text);
  }
  return ring.address === null ? null : addressProblem(ring.address, state.shape(ring));
}

/** Where the ring goes on; a refusal when the number that the front end gave cannot be. */
function baseOf(state: BackendState, ring: RingState): RingBase | Refusal {
  const { format } = state;
  if (ring.base === null) return initialBase(format);
  const base = decodeBase(format, ring.base);
  const fits =
    base !== null && (base.format === 'split' || (base.avail < ring.size && base.used < ring.size));
  if (fits) return base;
  const text = `base 0x${ring.base.toString(16)} is none of a ${format} ring ${ring.index} of ${ring.size}`;
  return refuse('ring-base', clauseOf('SET_VRING_BASE'), text);
}

/** Guest-physical address at which the used ring is logged; null: it is not, or not translated. */
export function usedLogGpa(state: BackendState, ring: RingState): number | null {
  const address = ring.address;
  if (address === null || (address.flags & VRING_F_LOG) === 0 || address.logGuestAddr >= 2n ** 53n)
    return null;
  const gpa = Number(address.logGuestAddr);
  if (!state.usesIotlb) return gpa;
  const found = state.iotlb.translate(gpa, 1, 0, state.memory);
  return 'gpa' in found ? found.gpa : null;
}

/** True when the front end said all that a ring needs to start. */
function isComplete(state: BackendState, ring: RingState): boolean {
  return (
    ring.isKickSet &&
    ring.size !== 0 &&
    ring.address !== null &&
    state.features !== null &&
    !state.memory.isEmpty
  );
}

/**
 * Starts a ring that is complete, once the driver is ready. Null: started, or something is still to come. A refusal
 * leaves it stopped.
 */
export async function startIfReady(state: BackendState, ring: RingState): Promise<Refusal | null> {
  if (ring.isStarted || !isComplete(state, ring)) return null;
  const base = baseOf(state, ring);
  const problem = shapeProblem(state, ring) ?? ('code' in base ? base : null);
  if (problem !== null) return problem;
  const placed = place(state, ring);
  if ('refusal' in placed) return placed.refusal;
  if ('misses' in placed) {
    for (const { iova, permission } of placed.misses) state.channel?.requestTranslation(iova, permission);
    return null;
  }
  const collision = collisionOf(state, ring, placed.areas);
  if (collision !== null) return collision;
  if (!state.isDriverReady) return null;
  return start(state, ring, base as RingBase, placed.areas);
}

async function start(
  state: BackendState,
  ring: RingState,
  base: RingBase,
  areas: RingAreas,
): Promise<Refusal | null> {
  const { index, size, kick, call, err } = ring;
  const refused = await state.device.startRing({
    index,
    size,
    format: state.format,
    areas,
    base,
    enabled: ring.isEnabled,
    kick,
    call,
    err,
    usedLogGpa: usedLogGpa(state, ring),
  });
  if (refused !== null) return refuse('ring-device', clauseOf('SET_VRING_KICK'), `ring ${index}: ${refused}`);
  ring.isStarted = true;
  ring.areas = areas;
  state.observer.ring?.(index, 'started', `${size} descriptors, ${state.format}`);
  return null;
}

/**
 * Starts every ring that can start, after something that is not about one ring: the message itself was fine, so a ring
 * that cannot run is no refusal of it. `memoryGrows`: rings whose memory is not there go on waiting for more of it.
 */
export async function startAllReady(state: BackendState, memoryGrows = false): Promise<void> {
  for (const ring of state.rings) {
    const refusal = await startIfReady(state, ring);
    if (refusal === null || (refusal.code === 'ring-unmapped' && memoryGrows)) continue;
    markBroken(state, ring, refusal);
    if (state.status !== null && state.hasProtocol('STATUS')) state.status |= STATUS_NEEDS_RESET;
  }
}

/** Gives up a ring that cannot run until it is kicked off again, and tells of it. */
export function markBroken(state: BackendState, ring: RingState, refusal: Refusal): void {
  ring.dropKick();
  if (ring.err !== null) state.signal(ring.err);
  state.observer.ring?.(ring.index, 'broken', refusal.text);
}

/** Stops a ring and remembers where it stands; nothing when it does not run. */
export async function stopRing(state: BackendState, ring: RingState): Promise<void> {
  if (!ring.isStarted) return;
  const base = await state.device.stopRing(ring.index);
  ring.base = encodeBase(base);
  ring.isStarted = false;
  ring.areas = null;
  state.observer.ring?.(ring.index, 'stopped', `base 0x${ring.base.toString(16)}`);
}

/** Stops the rings, the last one first: a net device takes frames from no transmitq whose receiveq is stopped already. */
export async function stopAllRings(state: BackendState): Promise<void> {
  for (const ring of state.rings.toReversed()) await stopRing(state, ring);
}

function collisionOf(state: BackendState, ring: RingState, areas: RingAreas): Refusal | null {
  for (const other of state.rings) {
    if (other === ring || other.areas === null) continue;
    if (areasOverlap(areas, state.shape(ring), other.areas, state.shape(other))) {
      const text = `ring ${ring.index} lies on memory of ring ${other.index}`;
      return refuse('ring-overlap', clauseOf('SET_VRING_ADDR'), text);
    }
  }
  return null;
}

/** Every started ring with its place in `memory` and the present translations. */
export function placements(state: BackendState, memory: MemoryTable): RingPlacement[] {
  return state.rings
    .filter((ring) => ring.isStarted)
    .map((ring) => {
      const placed = place(state, ring, memory);
      return { index: ring.index, areas: 'areas' in placed ? placed.areas : null };
    });
}

/** Only those whose place differs from where the ring is. */
export function changedPlacements(state: BackendState): RingPlacement[] {
  return placements(state, state.memory).filter(({ index, areas }) => {
    const now = state.rings[index].areas;
    if (areas === null || now === null) return areas !== now;
    return areas.descriptor !== now.descriptor || areas.driver !== now.driver || areas.device !== now.device;
  });
}

/** Remembers new places after the device has taken them; asks for translations that a paused ring lacks. */
export function applyPlacements(state: BackendState, rings: readonly RingPlacement[]): void {
  for (const { index, areas } of rings) {
    const ring = state.rings[index];
    const before = ring.areas;
    ring.areas = areas;
    if (areas === null && before !== null) state.observer.ring?.(index, 'paused', 'its memory is gone');
    if (areas !== null && before === null) state.observer.ring?.(index, 'resumed', 'its memory is back');
    if (areas !== null || !state.usesIotlb) continue;
    const placed = place(state, ring);
    if (!('misses' in placed)) continue;
    for (const { iova, permission } of placed.misses) state.channel?.requestTranslation(iova, permission);
  }
}
