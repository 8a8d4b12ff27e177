export {
  ACCESS_READ,
  ACCESS_WRITE,
  FAULT_COUNT,
  FAULT_OVERFLOW,
  FAULT_OVERLAP,
  FAULT_PERMISSION,
  FAULT_SPLIT,
  FAULT_TOO_LONG,
  FAULT_UNMAPPED,
  faultName,
  PERMISSION_RO,
  PERMISSION_RW,
  PERMISSION_WO,
} from './access.ts';
export { AddressSpace } from './address-space.ts';
export { AddressWindow } from './address-window.ts';
export { Arena, createArena } from './arena.ts';
export { copyAligned, copyFrames } from './copy-burst.ts';
export { DIRTY_PAGE_BYTES, DirtyLog, dirtyLogBytes } from './dirty-log.ts';
export { IOTLB_MISS, IOTLB_PERMISSION, Iotlb, type IotlbOptions } from './iotlb.ts';
export { type PacketMeta, PacketPool, type PacketPoolOptions } from './packet-pool.ts';
export { PageSet } from './page-set.ts';
export type { Publisher } from './publisher.ts';
export type { Region } from './region-table.ts';
export { TLB_L1, TLB_L2, TLB_WALK, Tlb, type TlbOptions } from './tlb.ts';
