import { type Descriptor, type Fd, ioctlBytes, ioctlValue, openPath } from '@vhostlab/host';
import {
  MEMORY_HEADER_BYTES,
  MEMORY_REGION_BYTES,
  VHOST,
  type VhostIoctl,
  VRING_ADDR_BYTES,
  VRING_FILE_BYTES,
  VRING_STATE_BYTES,
} from './vhost-ioctls.ts';

export const VHOST_NET_PATH = '/dev/vhost-net';

/** A region of guest memory as the kernel reaches it: through this process. */
export interface KernelRegion {
  readonly gpa: number;
  readonly bytes: number;
  readonly userAddress: number;
}

/** A ring of a device: addresses are those of this process. `index` 0 receives, 1 transmits. */
export interface KernelRing {
  readonly index: 0 | 1;
  readonly size: number;
  readonly base: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly kick: Descriptor;
  readonly call: Descriptor;
  readonly err: Descriptor;
}

/** `struct vhost_memory` with its regions. */
export function memoryTable(regions: readonly KernelRegion[]): Uint8Array {
  const bytes = new Uint8Array(MEMORY_HEADER_BYTES + regions.length * MEMORY_REGION_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, regions.length, true);
  for (const [i, region] of regions.entries()) {
    const at = MEMORY_HEADER_BYTES + i * MEMORY_REGION_BYTES;
    view.setBigUint64(at, BigInt(region.gpa), true);
    view.setBigUint64(at + 8, BigInt(region.bytes), true);
    view.setBigUint64(at + 16, BigInt(region.userAddress), true);
  }
  return bytes;
}

/** `struct vhost_vring_addr`, without logging: descriptors, used ring, available ring, in this order. */
export function ringAddresses({ index, desc, used, avail }: KernelRing): Uint8Array {
  const bytes = new Uint8Array(VRING_ADDR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, index, true);
  view.setBigUint64(8, BigInt(desc), true);
  view.setBigUint64(16, BigInt(used), true);
  view.setBigUint64(24, BigInt(avail), true);
  return bytes;
}

/**
 * One open /dev/vhost-net: a kernel thread that serves one queue pair of this process's memory. Every function throws a
 * HostError that names the request which the kernel refused.
 */
export class VhostNetDevice {
  readonly #fd: Fd;

  private constructor(fd: Fd) {
    this.#fd = fd;
  }

  /** Opens the device and binds it to this process: from now on it reaches its memory. */
  static open(): VhostNetDevice {
    const fd = openPath(VHOST_NET_PATH, 'read-write');
    try {
      ioctlValue(fd, VHOST.SET_OWNER.request, VHOST.SET_OWNER.name);
      return new VhostNetDevice(fd);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** Feature bits that the kernel offers. */
  features(): bigint {
    const bytes = new Uint8Array(VHOST.GET_FEATURES.argumentBytes);
    this.#ask(VHOST.GET_FEATURES, bytes);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  setFeatures(features: bigint): void {
    const bytes = new Uint8Array(VHOST.SET_FEATURES.argumentBytes);
    new DataView(bytes.buffer).setBigUint64(0, features, true);
    this.#ask(VHOST.SET_FEATURES, bytes);
  }

  setMemory(regions: readonly KernelRegion[]): void {
    this.#ask(VHOST.SET_MEM_TABLE, memoryTable(regions));
  }

  setUpRing(ring: KernelRing): void {
    this.#pair(VHOST.SET_VRING_NUM, ring.index, ring.size);
    this.#pair(VHOST.SET_VRING_BASE, ring.index, ring.base);
    this.#ask(VHOST.SET_VRING_ADDR, ringAddresses(ring));
    this.#pair(VHOST.SET_VRING_CALL, ring.index, ring.call.number);
    this.#pair(VHOST.SET_VRING_ERR, ring.index, ring.err.number);
    this.#pair(VHOST.SET_VRING_KICK, ring.index, ring.kick.number);
  }

  /** Joins a ring to a queue of a tap interface: it runs from now on. */
  start(index: 0 | 1, tap: Descriptor): void {
    this.#pair(VHOST.NET_SET_BACKEND, index, tap.number);
  }

  /** Stops a ring; where it stands: the next available index that the kernel would have taken. */
  stop(index: 0 | 1): number {
    this.#pair(VHOST.NET_SET_BACKEND, index, -1);
    return this.#pair(VHOST.GET_VRING_BASE, index, 0);
  }

  /** Ends the kernel's thread. Again: nothing. */
  close(): void {
    this.#fd.close();
  }

  /** The requests about a ring that take its index and one number more (vhost_vring_state, vhost_vring_file). */
  #pair(ioctl: VhostIoctl, index: number, value: number): number {
    const bytes = new Uint8Array(Math.max(VRING_STATE_BYTES, VRING_FILE_BYTES));
    const view = new DataView(bytes.buffer);
    view.setUint32(0, index, true);
    view.setInt32(4, value, true);
    this.#ask(ioctl, bytes);
    return view.getUint32(4, true);
  }

  #ask({ request, name }: VhostIoctl, bytes: Uint8Array): void {
    ioctlBytes(this.#fd, request, name, bytes);
  }
}
