/** The form of a payload. `u64` forms differ in what their bits mean. */
export type PayloadKind =
  /** No bytes. */
  | 'empty'
  | 'u64'
  /** u64: bits 0 to 7 ring index, bit 8 no descriptor attached. */
  | 'vring-fd'
  /** u64 whose first six bytes are an Ethernet address. */
  | 'mac'
  /** u64: bits 0 to 7 error code, bit 8 no descriptor attached. */
  | 'state-fd'
  | 'state'
  | 'addr'
  | 'mem-table'
  | 'mem-region'
  | 'log'
  | 'iotlb'
  | 'config'
  | 'vring-area'
  | 'inflight'
  | 'transfer'
  | 'uuid'
  /** Bytes whose form this project does not know: crypto sessions, shared memory maps. */
  | 'opaque';

/**
 * How much a network peer needs a number: `N` needed for a useful peer, `O` optional but used by real ones, `-` not of
 * the network device.
 */
export type NetUse = 'N' | 'O' | '-';

/** Where a number was read. Numbers have collided three times, so each row says it. */
export const SOURCES = {
  'qemu-10.2': 'docs/interop/vhost-user.rst and hw/virtio/vhost-user.c of QEMU 10.2.2, read',
  'qemu-11': 'QEMU 11.x by commit titles and constant tables of others, second hand',
  crosvm: 'third_party/vmm_vhost of crosvm f1e797a68d, read',
  linux: 'include/uapi/linux/vhost_types.h of Linux 7.1.8, read',
} as const;

export type Source = keyof typeof SOURCES;

/**
 * Implementations whose handler tables were read: QEMU front end 10.2.2, DPDK virtio-user, libvhost-user 10.2.2, DPDK
 * lib/vhost 26.11-rc0, rust-vmm vhost 4e217d992c, crosvm vmm_vhost, passt 587980c, Snabb f32729274b.
 */
export const PEERS = {
  FE: 'QEMU front end',
  vU: 'DPDK virtio-user',
  LVU: 'libvhost-user',
  DPDK: 'DPDK lib/vhost',
  RV: 'rust-vmm vhost',
  CR: 'crosvm vmm_vhost',
  PA: 'passt',
  SN: 'Snabb',
} as const;

export type Peer = keyof typeof PEERS;
