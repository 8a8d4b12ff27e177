/** Which way the argument of an ioctl goes, as the macros _IO, _IOW, _IOR and _IOWR of the kernel have it. */
const NONE = 0;
const WRITE = 1;
const READ = 2;
const READ_WRITE = 3;

/** Linux's letter for vhost: VHOST_VIRTIO. */
const VHOST_VIRTIO = 0xaf;

/** One request of /dev/vhost-net. */
export interface VhostIoctl {
  readonly name: string;
  /** The number that ioctl(2) takes: direction, bytes of the argument, letter and number of the request. */
  readonly request: number;
  /** Bytes of the structure behind the argument; 0: there is none. */
  readonly argumentBytes: number;
}

function define(name: string, direction: number, number: number, argumentBytes: number): VhostIoctl {
  const request = ((direction << 30) | (argumentBytes << 16) | (VHOST_VIRTIO << 8) | number) >>> 0;
  return { name, request, argumentBytes };
}

const U64 = 8;
/** Bytes of `struct vhost_memory` without its regions, of a region, and of the structures about a ring. */
export const MEMORY_HEADER_BYTES = 8;
export const MEMORY_REGION_BYTES = 32;
export const VRING_STATE_BYTES = 8;
export const VRING_ADDR_BYTES = 40;
export const VRING_FILE_BYTES = 8;

/**
 * The requests that the driver makes of /dev/vhost-net. Numbers and structures: include/uapi/linux/vhost.h and
 * vhost_types.h of Linux 7.1.8, whose values for x86-64 test/vhost-ioctls.test.ts has as the C compiler gives them; they
 * are the same since Linux 2.6.34. SET_MEM_TABLE counts its header only, although regions follow it.
 */
export const VHOST = {
  GET_FEATURES: define('VHOST_GET_FEATURES', READ, 0x00, U64),
  SET_FEATURES: define('VHOST_SET_FEATURES', WRITE, 0x00, U64),
  SET_OWNER: define('VHOST_SET_OWNER', NONE, 0x01, 0),
  SET_MEM_TABLE: define('VHOST_SET_MEM_TABLE', WRITE, 0x03, MEMORY_HEADER_BYTES),
  SET_VRING_NUM: define('VHOST_SET_VRING_NUM', WRITE, 0x10, VRING_STATE_BYTES),
  SET_VRING_ADDR: define('VHOST_SET_VRING_ADDR', WRITE, 0x11, VRING_ADDR_BYTES),
  SET_VRING_BASE: define('VHOST_SET_VRING_BASE', WRITE, 0x12, VRING_STATE_BYTES),
  GET_VRING_BASE: define('VHOST_GET_VRING_BASE', READ_WRITE, 0x12, VRING_STATE_BYTES),
  SET_VRING_KICK: define('VHOST_SET_VRING_KICK', WRITE, 0x20, VRING_FILE_BYTES),
  SET_VRING_CALL: define('VHOST_SET_VRING_CALL', WRITE, 0x21, VRING_FILE_BYTES),
  SET_VRING_ERR: define('VHOST_SET_VRING_ERR', WRITE, 0x22, VRING_FILE_BYTES),
  NET_SET_BACKEND: define('VHOST_NET_SET_BACKEND', WRITE, 0x30, VRING_FILE_BYTES),
} as const;
