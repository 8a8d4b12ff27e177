import { defineLayout, pad, u8, u16, u32, u64 } from '@vhostlab/layout';

/** struct virtio_pci_common_cfg (virtio 1.3, 4.1.4.3). */
export const COMMON_CONFIG = defineLayout('virtio_pci_common_cfg', 64, {
  device_feature_select: u32(0x00),
  device_feature: u32(0x04),
  driver_feature_select: u32(0x08),
  driver_feature: u32(0x0c),
  config_msix_vector: u16(0x10),
  num_queues: u16(0x12),
  device_status: u8(0x14),
  config_generation: u8(0x15),
  queue_select: u16(0x16),
  queue_size: u16(0x18),
  queue_msix_vector: u16(0x1a),
  queue_enable: u16(0x1c),
  queue_notify_off: u16(0x1e),
  queue_desc: u64(0x20),
  queue_driver: u64(0x28),
  queue_device: u64(0x30),
  queue_notif_config_data: u16(0x38),
  queue_reset: u16(0x3a),
  admin_queue_index: u16(0x3c),
  admin_queue_num: u16(0x3e),
});

/** struct virtio_pci_cap (virtio 1.3, 4.1.4); NOTIFY adds a multiplier, PCI_CFG four bytes of data. */
export const PCI_CAP = defineLayout('virtio_pci_cap', 16, {
  cap_vndr: u8(0),
  cap_next: u8(1),
  cap_len: u8(2),
  cfg_type: u8(3),
  bar: u8(4),
  id: u8(5),
  reserved: pad(6, 2),
  offset: u32(8),
  length: u32(12),
});

/** Values of `cfg_type`. */
export const CAP_COMMON = 1;
export const CAP_NOTIFY = 2;
export const CAP_ISR = 3;
export const CAP_DEVICE = 4;
export const CAP_PCI_CFG = 5;

/** PCI capability numbers. */
export const PCI_CAP_VENDOR = 0x09;
export const PCI_CAP_MSIX = 0x11;

/** One entry of the MSI-X table (PCI 3.0, 6.8.2.6 to 6.8.2.9). */
export const MSIX_ENTRY = defineLayout('msix_entry', 16, {
  address_low: u32(0),
  address_high: u32(4),
  data: u32(8),
  /** Bit 0: masked. */
  control: u32(12),
});

/** Vector number that means none (virtio 1.3, 4.1.4.3). */
export const NO_VECTOR = 0xffff;

/** Bits of the ISR status byte. */
export const ISR_QUEUE = 1;
export const ISR_CONFIG = 2;

/**
 * Where the PCI configuration space of a function appears in its register file: above the BAR, as ECAM puts
 * configuration space into the address space of the host.
 */
export const PCI_CONFIG_WINDOW = 0x10_0000;
export const PCI_CONFIG_BYTES = 256;

/** Places of the structures in the BAR, in bytes from its start. */
export interface PciBarLayout {
  readonly common: number;
  readonly isr: number;
  readonly device: number;
  readonly deviceBytes: number;
  readonly notify: number;
  readonly notifyBytes: number;
  /** Distance of two queues' notification addresses; 0: all queues share one. */
  readonly notifyMultiplier: number;
  readonly msixTable: number;
  readonly msixPba: number;
  readonly vectors: number;
  /** A power of two. */
  readonly barBytes: number;
}

/** Vectors that fit in the page of the MSI-X table. */
export const MAX_VECTORS = 256;

/**
 * The BAR of this project's devices: every structure on a page of its own, so that a VMM can map or trap each
 * by itself, and notifications on the last pages.
 */
export function barLayout(
  queues: number,
  deviceBytes: number,
  vectors: number,
  notifyMultiplier: number,
): PciBarLayout {
  const notifyBytes = Math.max(4, queues * notifyMultiplier);
  const notify = 0x5000;
  const barBytes = 2 ** Math.ceil(Math.log2(notify + notifyBytes));
  return {
    common: 0,
    isr: 0x1000,
    device: 0x2000,
    deviceBytes,
    msixTable: 0x3000,
    msixPba: 0x4000,
    vectors,
    notify,
    notifyBytes,
    notifyMultiplier,
    barBytes,
  };
}
