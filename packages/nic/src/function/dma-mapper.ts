import { toNumber, type vhostV1 } from '@vhostlab/contracts';
import type { CoreContext } from '@vhostlab/engine';
import { faultName, PERMISSION_RW } from '@vhostlab/memory';
import type { DmaDomain } from '../dma/dma.ts';

/** Error numbers of Linux that answers carry. */
export const EFAULT = 14;
export const EEXIST = 17;
export const EINVAL = 22;
export const EOPNOTSUPP = 95;

/** Why a request was refused. */
export interface Refusal {
  readonly error: number;
  readonly reason: string;
}

interface HostRegion {
  readonly userAddress: number;
  readonly bytes: number;
  /** Arena offset of its first byte. */
  readonly offset: number;
}

/** What of the requests between a VMM and a back end is about memory: fills the IOMMU's domain of one function. */
export class DmaMapper {
  readonly #context: CoreContext;
  readonly #domain: DmaDomain;
  readonly #suffix: string;
  #regions: HostRegion[] = [];

  /** `suffix`: of the windows that the function sees, in a scenario with several back ends. */
  constructor(context: CoreContext, domain: DmaDomain, suffix = '') {
    this.#context = context;
    this.#suffix = suffix;
    this.#domain = domain;
  }

  /** Forgets memory table and mappings. */
  reset(): void {
    this.#regions = [];
    this.#domain.clear();
  }

  /** The memory table tells where user addresses of later IOTLB updates are. */
  setMemTable(table: vhostV1.SetMemTable): Refusal | undefined {
    const regions: HostRegion[] = [];
    for (const region of table.regions) {
      const offset = this.#windowOffset(region.window, region.windowOffset);
      if (offset === undefined)
        return { error: EINVAL, reason: `No memory window is named ${region.window}.` };
      regions.push({
        userAddress: toNumber(region.userAddr),
        bytes: toNumber(region.sizeBytes),
        offset,
      });
    }
    this.#regions = regions;
    return undefined;
  }

  /** VFIO_IOMMU_MAP_DMA and the map message of vhost-vdpa. */
  map(request: vhostV1.DmaMap): Refusal | undefined {
    const offset = this.#windowOffset(request.window, request.windowOffset);
    if (offset === undefined)
      return { error: EINVAL, reason: `No memory window is named ${request.window}.` };
    return this.#map(request.iova, request.sizeBytes, offset, request.access);
  }

  unmap(request: vhostV1.DmaUnmap): Refusal | undefined {
    const bytes = toNumber(request.sizeBytes);
    if (bytes === 0) return { error: EINVAL, reason: 'A DMA mapping of 0 bytes cannot be removed.' };
    this.#domain.unmap(toNumber(request.iova), bytes);
    return undefined;
  }

  /** One translation by user address. */
  update(request: vhostV1.IotlbUpdate): Refusal | undefined {
    const user = toNumber(request.userAddr);
    const bytes = toNumber(request.sizeBytes);
    const region = this.#regions.find(
      (r) => user >= r.userAddress && user + bytes <= r.userAddress + r.bytes,
    );
    if (region === undefined) {
      return {
        error: EFAULT,
        reason: `User address 0x${user.toString(16)} is in no region of the memory table.`,
      };
    }
    return this.#map(
      request.iova,
      request.sizeBytes,
      region.offset + (user - region.userAddress),
      request.access,
    );
  }

  invalidate(request: vhostV1.IotlbInvalidate): void {
    const bytes = toNumber(request.sizeBytes);
    if (bytes === 0) this.#domain.clear();
    else this.#domain.unmap(toNumber(request.iova), bytes);
  }

  #map(iova: bigint, size: bigint, offset: number, access: number): Refusal | undefined {
    const permission = access === 0 ? PERMISSION_RW : access;
    if (permission > PERMISSION_RW) return { error: EINVAL, reason: `Access ${access} does not exist.` };
    const fault = this.#domain.map(toNumber(iova), toNumber(size), offset, permission);
    if (fault === 0) return undefined;
    return {
      error: EEXIST,
      reason: `I/O address 0x${iova.toString(16)} cannot be mapped: ${faultName(fault)}.`,
    };
  }

  #windowOffset(window: string, offset: bigint): number | undefined {
    try {
      const own = window.endsWith(this.#suffix) ? window : window + this.#suffix;
      return this.#context.window(own) + toNumber(offset);
    } catch {
      return undefined;
    }
  }
}
