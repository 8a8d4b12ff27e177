import { defineLayout, pad, u8, u16, u32, u64 } from '@vhostlab/layout';

/**
 * Data descriptor of a transmit ring, 16 bytes, little-endian; the shape is that of i40e and ice, simplified. The device
 * writes `status` back, and only where `command` has NIC_TX_REPORT.
 */
export const NIC_TX_DESC = defineLayout('nic_tx_desc', 16, {
  /** I/O address of the segment. */
  addr: u64(0),
  /** Bytes of the segment, 1 or more. */
  length: u32(8),
  /** NIC_TX_* bits. */
  command: u16(12),
  /** NIC_DONE once the device no longer needs this descriptor and those before it. */
  status: u16(14),
});

/** Offload descriptor in front of the data descriptors of one packet: what the virtio-net header says. */
export const NIC_TX_CONTEXT = defineLayout('nic_tx_context', 16, {
  csumStart: u16(0),
  csumOffset: u16(2),
  hdrLen: u16(4),
  gsoSize: u16(6),
  gsoType: u8(8),
  flags: u8(9),
  unused: pad(10, 2),
  /** NIC_TX_CONTEXT_BIT. */
  command: u16(12),
  status: u16(14),
});

/** Receive descriptor as the driver posts it. */
export const NIC_RX_DESC = defineLayout('nic_rx_desc', 16, {
  /** I/O address of an empty buffer. */
  addr: u64(0),
  /** Written as zero together with the status. */
  reserved: u32(8),
  unused: pad(12, 2),
  /** Zero: the buffer is the device's. */
  status: u16(14),
});

/** The same 16 bytes as the device writes them back. */
export const NIC_RX_WRITE_BACK = defineLayout('nic_rx_write_back', 16, {
  /** RSS hash, 0 when there is none. */
  hash: u32(0),
  /** Bytes written to the buffer. */
  length: u32(4),
  /** Mark that a flow rule of the device put on the packet, 0 for none. */
  mark: u32(8),
  /** Port or representor that the packet came in on. */
  port: u16(12),
  /** NIC_DONE, NIC_RX_LAST and checksum bits. */
  status: u16(14),
});

export const NIC_DESC_BYTES = 16;

/** TX command: last segment of its packet. */
export const NIC_TX_LAST = 1;
/** TX command: write NIC_DONE here when the packet is done. Only on last segments. */
export const NIC_TX_REPORT = 2;
/** TX command: this is a context descriptor. */
export const NIC_TX_CONTEXT_BIT = 4;

/** Status, both rings: the device is done with the descriptor. */
export const NIC_DONE = 1;
/** RX status: last buffer of its packet. */
export const NIC_RX_LAST = 2;
/** RX status: the device checked the packet's checksums and they are right. */
export const NIC_RX_CSUM_GOOD = 4;
/** RX status: the device checked the packet's checksums and one is wrong. */
export const NIC_RX_CSUM_BAD = 8;

/** Bytes of a ring of `size` descriptors. */
export function nicRingBytes(size: number): number {
  return size * NIC_DESC_BYTES;
}
