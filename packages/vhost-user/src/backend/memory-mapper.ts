import type { Fd } from '../fd.ts';

/** What a mapping is for; decides about read and write permission and about the words of refusals. */
export type MappingPurpose = 'memory' | 'log' | 'inflight';

/** Part of a file that a peer asks to have mapped. */
export interface MapRequest {
  /** The file; it stays the caller's, a mapping outlives it. */
  readonly fd: Fd;
  /** Where in the file it begins, in bytes. */
  readonly fileOffset: number;
  /** How many bytes, above 0. */
  readonly bytes: number;
  readonly purpose: MappingPurpose;
}

/** A mapping that exists. */
export interface Mapping {
  /** Where in the arena it begins, in bytes: below 2^32. */
  readonly arenaOffset: number;
  readonly bytes: number;
  /** Which file it is (device and inode), to recognise a region that a new table names again. */
  readonly file: string;
  /** F_SEAL_SHRINK is set: the peer cannot truncate the file under the mapping. */
  readonly shrinkSealed: boolean;
}

/** Why something cannot be mapped. A peer's doing, except `no-room`. */
export interface MapProblem {
  /**
   * `bad-file`: not a file that can be mapped shared and writable; `beyond-file`: the file is shorter (its fstat
   * size); `unaligned`: the offset is no multiple of the file's page size; `no-room`: the arena is full.
   */
  readonly problem: 'bad-file' | 'beyond-file' | 'unaligned' | 'no-room';
  /** One sentence with the figures. */
  readonly text: string;
}

/** Shared memory that this side made. The caller owns the descriptor. */
export interface CreatedMemory {
  readonly fd: Fd;
  readonly mapping: Mapping;
}

/** Maps files into the arena that the device's workers use. All calls are immediate and none throws on a peer's input. */
export interface MemoryMapper {
  /** Maps part of a file after comparing with the size that fstat says. */
  map(request: MapRequest): Mapping | MapProblem;
  /** Makes zeroed shared memory (a memfd, sealed against shrinking) and maps it. */
  create(name: string, bytes: number): CreatedMemory | MapProblem;
  /** Takes a mapping away. Called once per mapping, when no worker uses it any more. */
  unmap(mapping: Mapping): void;
}

/** True when the mapper refused. */
export function isMapProblem(result: Mapping | CreatedMemory | MapProblem): result is MapProblem {
  return 'problem' in result;
}
