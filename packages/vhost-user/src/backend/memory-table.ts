import type { MemRegion } from '../codec/payload.ts';
import { CLAUSE } from '../codec/problem.ts';
import type { Fd } from '../fd.ts';
import { isMapProblem, type MapProblem, type MemoryMapper } from './memory-mapper.ts';
import { type Refusal, type RefusalCode, refuse } from './refusal.ts';
import type { MappedRegion } from './ring-setup.ts';

/** Guest-physical addresses are JavaScript numbers inside, so they end here; processors have at most 52 bits. */
const ADDRESS_LIMIT = 2n ** 53n;
const OFFSET_LIMIT = 2n ** 63n;
const USER_LIMIT = 2n ** 64n;
const PAGE_BYTES = 4096n;

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** What is wrong with a region by itself: empty, wrapping, or at an offset that no mapping can begin at. */
export function regionProblem(region: MemRegion): Refusal | null {
  const { guestPhysAddr, memorySize, userspaceAddr, mmapOffset } = region;
  const fail = (code: RefusalCode, text: string) => refuse(code, CLAUSE.regions, text);
  if (memorySize === 0n)
    return fail('region-size', `the region at guest address ${hex(guestPhysAddr)} is empty`);
  if (guestPhysAddr + memorySize > ADDRESS_LIMIT) {
    return fail(
      'region-overflow',
      `${hex(memorySize)} bytes at guest address ${hex(guestPhysAddr)} end beyond 2^53`,
    );
  }
  if (userspaceAddr + memorySize > USER_LIMIT) {
    return fail(
      'region-overflow',
      `${hex(memorySize)} bytes at user address ${hex(userspaceAddr)} wrap around`,
    );
  }
  if (mmapOffset + memorySize > OFFSET_LIMIT) {
    return fail(
      'region-overflow',
      `${hex(memorySize)} bytes at file offset ${hex(mmapOffset)} end beyond any file`,
    );
  }
  if (mmapOffset % PAGE_BYTES !== 0n) {
    return fail('region-unaligned', `file offset ${hex(mmapOffset)} is no multiple of ${PAGE_BYTES}`);
  }
  return null;
}

/** The first two regions that share guest-physical or user addresses. */
export function overlapProblem(regions: readonly MemRegion[]): Refusal | null {
  const check = (key: 'guestPhysAddr' | 'userspaceAddr', what: string): Refusal | null => {
    const sorted = [...regions].sort((a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0));
    for (let i = 1; i < sorted.length; i++) {
      const [before, after] = [sorted[i - 1], sorted[i]];
      if (before[key] + before.memorySize > after[key]) {
        const text = `the regions at ${what} addresses ${hex(before[key])} and ${hex(after[key])} overlap`;
        return refuse('region-overlap', CLAUSE.regions, text);
      }
    }
    return null;
  };
  return check('guestPhysAddr', 'guest') ?? check('userspaceAddr', 'user');
}

const MAP_CODES: Record<MapProblem['problem'], RefusalCode> = {
  'bad-file': 'region-file',
  'beyond-file': 'region-beyond-file',
  unaligned: 'region-unaligned',
  'no-room': 'no-room',
};

/** Maps a region that was checked. The descriptor stays the caller's. */
export function mapRegion(mapper: MemoryMapper, region: MemRegion, fd: Fd): MappedRegion | Refusal {
  const fileOffset = Number(region.mmapOffset);
  const bytes = Number(region.memorySize);
  const mapping = mapper.map({ fd, fileOffset, bytes, purpose: 'memory' });
  if (isMapProblem(mapping)) return refuse(MAP_CODES[mapping.problem], CLAUSE.regions, mapping.text);
  return { gpa: Number(region.guestPhysAddr), bytes, userAddress: region.userspaceAddr, fileOffset, mapping };
}

/** The region as the message described it. */
export function describeRegion(region: MappedRegion): MemRegion {
  return {
    guestPhysAddr: BigInt(region.gpa),
    memorySize: BigInt(region.bytes),
    userspaceAddr: region.userAddress,
    mmapOffset: BigInt(region.fileOffset),
  };
}

/** The regions that a front end shares, unchangeable: a change makes a new table. */
export class MemoryTable {
  static readonly EMPTY = new MemoryTable([]);
  /** By guest-physical address. */
  readonly regions: readonly MappedRegion[];

  constructor(regions: readonly MappedRegion[]) {
    this.regions = [...regions].sort((a, b) => a.gpa - b.gpa);
  }

  get isEmpty(): boolean {
    return this.regions.length === 0;
  }

  /** First guest-physical address behind all regions. */
  get end(): number {
    const last = this.regions.at(-1);
    return last === undefined ? 0 : last.gpa + last.bytes;
  }

  /** The region that holds the user address; undefined: none. */
  regionAt(userAddress: bigint): MappedRegion | undefined {
    return this.regions.find(
      (region) =>
        userAddress >= region.userAddress && userAddress - region.userAddress < BigInt(region.bytes),
    );
  }

  /** Arena offset of `bytes` at a user address; null unless one region holds all of them. */
  translateUser(userAddress: bigint, bytes: number): number | null {
    const region = this.regionAt(userAddress);
    if (region === undefined) return null;
    const at = Number(userAddress - region.userAddress);
    return at + bytes <= region.bytes ? region.mapping.arenaOffset + at : null;
  }

  /** Guest-physical address of a user address; null: not shared. */
  gpaOfUser(userAddress: bigint): number | null {
    const region = this.regionAt(userAddress);
    return region === undefined ? null : region.gpa + Number(userAddress - region.userAddress);
  }
}
