import type { MemRegion } from '../../codec/payload.ts';
import { u64Payload } from '../../codec/payload.ts';
import { CLAUSE, clauseOf } from '../../codec/problem.ts';
import type { BackendState } from '../backend-state.ts';
import type { FdBag } from '../fd-bag.ts';
import { type Handler, handle } from '../handler.ts';
import { forgotten } from '../iotlb-table.ts';
import { describeRegion, MemoryTable, mapRegion, overlapProblem, regionProblem } from '../memory-table.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { applyPlacements, placements, startAllReady } from '../ring-control.ts';
import type { MappedRegion } from '../ring-setup.ts';

function sameRegion(a: MappedRegion, b: MappedRegion): boolean {
  return (
    a.gpa === b.gpa &&
    a.bytes === b.bytes &&
    a.userAddress === b.userAddress &&
    a.fileOffset === b.fileOffset &&
    a.mapping.file === b.mapping.file
  );
}

/**
 * Makes `regions` the memory: the device gets the new table while old and new mappings exist, then mappings that are in
 * no table any more go, and rings that waited for memory start.
 */
export async function changeMemory(state: BackendState, regions: readonly MappedRegion[]): Promise<void> {
  const before = state.memory;
  const memory = new MemoryTable(regions);
  const gone = before.regions.filter((region) => !memory.regions.includes(region));
  await forgetTranslations(state, gone);
  const rings = placements(state, memory);
  await state.device.memoryChanged({ regions: memory.regions, rings });
  state.memory = memory;
  for (const region of gone) state.mapper.unmap(region.mapping);
  applyPlacements(state, rings);
  await startAllReady(state, true);
}

/** Translations into regions that go away are forgotten by the device as well. */
async function forgetTranslations(state: BackendState, gone: readonly MappedRegion[]): Promise<void> {
  const stale = state.iotlb.entries.filter((entry) =>
    gone.some(
      (region) =>
        entry.userAddress < region.userAddress + BigInt(region.bytes) &&
        region.userAddress < entry.userAddress + BigInt(entry.bytes),
    ),
  );
  if (stale.length === 0) return;
  for (const entry of stale) state.iotlb.remove(entry.iova, entry.bytes);
  const rings = placements(state, state.memory).filter(({ areas }) => areas === null);
  await state.device.iotlb({ kind: 'invalidate', ranges: stale.map(forgotten), rings });
}

function unmapAll(state: BackendState, regions: readonly MappedRegion[]): void {
  for (const region of regions) state.mapper.unmap(region.mapping);
}

/** Maps every region; on a refusal nothing stays mapped. */
function mapAll(state: BackendState, regions: readonly MemRegion[], fds: FdBag): MappedRegion[] | Refusal {
  const mapped: MappedRegion[] = [];
  for (const [i, region] of regions.entries()) {
    const result = mapRegion(state.mapper, region, fds.peek(i)!);
    if ('code' in result) {
      unmapAll(state, mapped);
      return result;
    }
    mapped.push(result);
  }
  return mapped;
}

/** Keeps the mappings of regions that are in the present table too, and unmaps their second ones. */
function reuse(state: BackendState, mapped: readonly MappedRegion[]): MappedRegion[] {
  return mapped.map((region) => {
    const known = state.memory.regions.find((other) => sameRegion(other, region));
    if (known === undefined) return region;
    state.mapper.unmap(region.mapping);
    return known;
  });
}

/** The memory table and its slots. */
export const MEMORY: readonly Handler[] = [
  handle('SET_MEM_TABLE', 'mem-table', async (state, { regions }, fds) => {
    if (regions.length === 0) {
      return refuse('region-count-zero', clauseOf('SET_MEM_TABLE'), 'the memory table names no region');
    }
    for (const region of regions) {
      const problem = regionProblem(region);
      if (problem !== null) return problem;
    }
    const problem = overlapProblem(regions);
    if (problem !== null) return problem;
    let mapped = mapAll(state, regions, fds);
    if ('code' in mapped && mapped.code === 'no-room' && !state.memory.isEmpty) {
      // old and new do not fit side by side: the rings pause in between
      await changeMemory(state, []);
      mapped = mapAll(state, regions, fds);
      if ('code' in mapped) return { ...mapped, fatal: true };
    }
    if ('code' in mapped) return mapped;
    await changeMemory(state, reuse(state, mapped));
    return null;
  }),

  handle('GET_MAX_MEM_SLOTS', 'empty', async (state) => ({ reply: u64Payload(state.device.offer.memSlots) })),

  handle('ADD_MEM_REG', 'mem-region', async (state, { region }, fds) => {
    const slots = state.device.offer.memSlots;
    if (state.memory.regions.length >= slots) {
      return refuse('region-slots', clauseOf('ADD_MEM_REG'), `all ${slots} memory slots are in use`);
    }
    const present = state.memory.regions;
    const problem = regionProblem(region) ?? overlapProblem([...present.map(describeRegion), region]);
    if (problem !== null) return problem;
    const mapped = mapRegion(state.mapper, region, fds.peek(0)!);
    if ('code' in mapped) return mapped;
    await changeMemory(state, [...present, mapped]);
    return null;
  }),

  handle('REM_MEM_REG', 'mem-region', async (state, { region }) => {
    const present = state.memory.regions;
    const found = present.find(
      ({ gpa, bytes, userAddress }) =>
        BigInt(gpa) === region.guestPhysAddr &&
        BigInt(bytes) === region.memorySize &&
        userAddress === region.userspaceAddr,
    );
    if (found === undefined) {
      const text = `no region of 0x${region.memorySize.toString(16)} bytes is at guest address 0x${region.guestPhysAddr.toString(16)}`;
      return refuse('region-unknown', CLAUSE.regions, text);
    }
    await changeMemory(
      state,
      present.filter((other) => other !== found),
    );
    return null;
  }),
];
