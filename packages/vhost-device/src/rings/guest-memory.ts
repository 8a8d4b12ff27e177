import { AddressSpace, type Arena, DirtyLog, PERMISSION_RW } from '@vhostlab/memory';
import type { IotlbRange, LogArea } from '@vhostlab/vhost-user';
import type { RegionPlace } from '../control/commands.ts';

/**
 * The memory of one guest as a worker sees it: what addresses in descriptors mean, and the log of what was written. With
 * VIRTIO_F_ACCESS_PLATFORM descriptors carry I/O virtual addresses, which the front end hands out piece by piece.
 */
export class GuestMemory {
  /** Addresses of descriptors. */
  readonly space: AddressSpace;
  /** True when descriptors carry I/O virtual addresses. */
  isTranslated = false;
  readonly #arena: Arena;
  #regions: readonly RegionPlace[] = [];
  #iotlb: readonly IotlbRange[] = [];
  #log: DirtyLog | undefined;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.space = new AddressSpace(arena);
  }

  /** Chooses what descriptors carry. */
  negotiate(isTranslated: boolean): void {
    if (this.isTranslated === isTranslated) return;
    this.isTranslated = isTranslated;
    this.#iotlb = [];
    this.#rebuild();
  }

  /** The table of the session, which has checked it. */
  setRegions(regions: readonly RegionPlace[]): void {
    this.#regions = regions;
    this.#rebuild();
  }

  updateIotlb(ranges: readonly IotlbRange[]): void {
    this.invalidateIotlb(ranges);
    this.#iotlb = [...this.#iotlb, ...ranges];
    for (const { iova, bytes, arenaOffset, permission } of ranges) {
      this.space.map(iova, bytes, arenaOffset, permission);
    }
  }

  invalidateIotlb(ranges: readonly { iova: number; bytes: number }[]): void {
    for (const { iova, bytes } of ranges) this.space.unmap(iova, bytes);
    this.#iotlb = this.#iotlb.filter((held) =>
      ranges.every(({ iova, bytes }) => held.iova >= iova + bytes || iova >= held.iova + held.bytes),
    );
  }

  /** Where writes are logged from now on; undefined log or one that is off: nowhere. */
  setLog(log: LogArea | null): void {
    this.#log = log?.logAll === true ? new DirtyLog(this.#arena, log.arenaOffset, log.bytes) : undefined;
  }

  get isLogging(): boolean {
    return this.#log !== undefined;
  }

  /** Logs a write at a guest-physical address. */
  logGpa(gpa: number, bytes: number): void {
    this.#log?.mark(gpa, bytes);
  }

  /** Logs a write of `bytes` at an arena offset; it lies in one region. */
  logWritten(arenaOffset: number, bytes: number): void {
    if (this.#log === undefined || bytes === 0) return;
    for (const region of this.#regions) {
      const into = arenaOffset - region.arenaOffset;
      if (into >= 0 && into < region.bytes) {
        this.#log.mark(region.gpa + into, bytes);
        return;
      }
    }
  }

  clear(): void {
    this.#regions = [];
    this.#iotlb = [];
    this.#log = undefined;
    this.space.clear();
  }

  #rebuild(): void {
    this.space.clear();
    if (this.isTranslated) this.updateIotlb(this.#iotlb);
    else {
      for (const { gpa, bytes, arenaOffset } of this.#regions) {
        this.space.map(gpa, bytes, arenaOffset, PERMISSION_RW);
      }
    }
  }
}
