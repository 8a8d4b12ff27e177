import { bytes, defineLayout, pad, u8, u16, u32, u64 } from '@vhostlab/layout';

/**
 * The structures of vhost-user travel in the machine's own byte order (vhost-user, "Message Specification"), which is
 * little-endian wherever this project runs.
 */
if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) {
  throw new Error('vhost-user of this project needs a little-endian machine');
}

/** Header of every message. */
export const HEADER = defineLayout('vhost_user_header', 12, { request: u32(0), flags: u32(4), size: u32(8) });

export const VRING_STATE = defineLayout('vhost_vring_state', 8, { index: u32(0), num: u32(4) });

/** The order of the addresses is descriptor table, used ring, available ring. */
export const VRING_ADDR = defineLayout('vhost_vring_addr', 40, {
  index: u32(0),
  flags: u32(4),
  desc_user_addr: u64(8),
  used_user_addr: u64(16),
  avail_user_addr: u64(24),
  log_guest_addr: u64(32),
});

export const MEM_REGION = defineLayout('vhost_user_memory_region', 32, {
  guest_phys_addr: u64(0),
  memory_size: u64(8),
  userspace_addr: u64(16),
  mmap_offset: u64(24),
});

/** Head of SET_MEM_TABLE; `nregions` regions follow. */
export const MEM_TABLE = defineLayout('vhost_user_memory', 8, { nregions: u32(0), padding: u32(4) });

/** Head of ADD_MEM_REG and REM_MEM_REG; one region follows. */
export const MEM_SINGLE = defineLayout('vhost_user_mem_reg', 8, { padding: u64(0) });

export const LOG = defineLayout('vhost_user_log', 16, { mmap_size: u64(0), mmap_offset: u64(8) });

export const IOTLB = defineLayout('vhost_iotlb_msg', 32, {
  iova: u64(0),
  size: u64(8),
  uaddr: u64(16),
  perm: u8(24),
  type: u8(25),
  tail: pad(26, 6),
});

/** Head of GET_CONFIG and SET_CONFIG; `size` bytes of the configuration follow. */
export const CONFIG = defineLayout('vhost_user_config', 12, { offset: u32(0), size: u32(4), flags: u32(8) });

export const VRING_AREA = defineLayout('vhost_user_vring_area', 24, {
  u64: u64(0),
  size: u64(8),
  offset: u64(16),
});

export const INFLIGHT = defineLayout('vhost_user_inflight', 24, {
  mmap_size: u64(0),
  mmap_offset: u64(8),
  num_queues: u16(16),
  queue_size: u16(18),
  tail: pad(20, 4),
});

export const TRANSFER = defineLayout('vhost_user_transfer_device_state', 8, {
  direction: u32(0),
  phase: u32(4),
});

export const UUID = defineLayout('vhost_user_shared_object', 16, { uuid: bytes(0, 16) });

/** Bytes of a header. */
export const HEADER_BYTES = HEADER.$size;
/** Most regions of SET_MEM_TABLE (VHOST_MEMORY_BASELINE_NREGIONS). */
export const MAX_TABLE_REGIONS = 8;
/** Most descriptors of one message. */
export const MAX_MESSAGE_FDS = 8;
/** Longest configuration that a message carries (VHOST_USER_MAX_CONFIG_SIZE). */
export const MAX_CONFIG_BYTES = 256;
/** Longest payload that this project accepts: more than any message has, a bound for a peer's mistakes. */
export const MAX_PAYLOAD_BYTES = 4096;
