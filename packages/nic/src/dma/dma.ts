import type { Meter, Ps } from '@vhostlab/engine';
import { ACCESS_READ, ACCESS_WRITE, AddressSpace, type Arena, FAULT_OVERFLOW, Iotlb } from '@vhostlab/memory';
import type { Translator } from '@vhostlab/virtqueue';
import type { NicConstants } from '../constants.ts';
import { PcieLink } from './pcie.ts';

/** Addresses that one function can name: 16 TiB. The IOMMU's domains lie one after the other. */
const DOMAIN_BYTES = 2 ** 44;

/**
 * The DMA engine of a NIC: one PCIe link, one IOMMU with an IOTLB that all functions share, one table walker. Moments
 * are computed, bytes are the caller's: he moves them when the moment has come.
 */
export class DmaEngine {
  readonly pcie: PcieLink;
  readonly iotlb: Iotlb;
  readonly space: AddressSpace;
  readonly #missPs: Ps;
  readonly #walkPs: Ps;
  readonly #meter: Meter;
  readonly #missOp: number;
  #walkerFreePs: Ps = 0;

  /** `pageBytes`: page size that the IOMMU's tables are made of. */
  constructor(arena: Arena, constants: NicConstants, pageBytes: number, meter: Meter, missOp: number) {
    this.pcie = new PcieLink(constants.pcie);
    this.iotlb = new Iotlb({ entries: constants.iotlbEntries, pageBytes });
    this.space = new AddressSpace(arena);
    this.#missPs = constants.iotlbMissPs;
    this.#walkPs = constants.iotlbWalkPs;
    this.#meter = meter;
    this.#missOp = missOp;
  }

  /**
   * Looks a range up in the IOTLB: the moment from which the access can go on, `atPs` when all pages were cached, or
   * the FAULT_* of the first page that may not be used.
   */
  resolve(atPs: Ps, address: number, bytes: number, access: number): number {
    const walks = this.iotlb.resolve(this.space, address, bytes, access);
    if (walks <= 0) return walks === 0 ? atPs : walks;
    let done = atPs;
    for (let i = 0; i < walks; i++) {
      const start = atPs > this.#walkerFreePs ? atPs : this.#walkerFreePs;
      this.#walkerFreePs = start + this.#walkPs;
      done = start + this.#missPs;
    }
    this.#meter.book(this.#missOp, walks, 0, done - atPs);
    return done;
  }
}

/** The memory that one function can reach through the IOMMU. */
export class DmaDomain implements Translator {
  readonly #engine: DmaEngine;
  readonly #base: number;

  /** `number`: 1 to 511, one per function. */
  constructor(engine: DmaEngine, number: number) {
    this.#engine = engine;
    this.#base = number * DOMAIN_BYTES;
  }

  /** Maps a range; 0, or the FAULT_* that keeps it from being mapped. */
  map(iova: number, bytes: number, arenaOffset: number, permission: number): number {
    if (!(iova >= 0) || iova + bytes > DOMAIN_BYTES) return FAULT_OVERFLOW;
    return this.#engine.space.map(this.#base + iova, bytes, arenaOffset, permission);
  }

  /** Unmaps a range and invalidates the IOTLB for it; answers the bytes that were mapped. */
  unmap(iova: number, bytes: number): number {
    const stop = Math.min(iova + bytes, DOMAIN_BYTES);
    if (!(iova >= 0) || stop <= iova) return 0;
    this.#engine.iotlb.invalidate(this.#base + iova, stop - iova);
    return Math.max(0, this.#engine.space.unmap(this.#base + iova, stop - iova));
  }

  /** Unmaps everything. */
  clear(): void {
    this.unmap(0, DOMAIN_BYTES);
  }

  /** Arena offset of a range, or the FAULT_* that keeps it from being accessed. */
  translate(address: number, length: number, access: number): number {
    if (!(address >= 0) || address + length > DOMAIN_BYTES) return FAULT_OVERFLOW;
    return this.#engine.space.translate(this.#base + address, length, access);
  }

  /** Moment at which `bytes` bytes at `iova`, asked for at `atPs`, have arrived; or a FAULT_*. */
  read(atPs: Ps, iova: number, bytes: number): number {
    const from = this.#engine.resolve(atPs, this.#base + iova, bytes, ACCESS_READ);
    return from < 0 ? from : this.#engine.pcie.read(from, bytes);
  }

  /** Moment at which `bytes` bytes for `iova`, ready at `atPs`, have left the device; or a FAULT_*. */
  write(atPs: Ps, iova: number, bytes: number): number {
    const from = this.#engine.resolve(atPs, this.#base + iova, bytes, ACCESS_WRITE);
    return from < 0 ? from : this.#engine.pcie.write(from, bytes);
  }
}
