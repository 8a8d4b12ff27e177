import { type Descriptor, Fd } from './fd.ts';
import { checked, libc } from './libc.ts';
import { openPath } from './open-path.ts';
import { scratch } from './scratch.ts';

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_UP = 1;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFMTU = 0x8922;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_FLAGS = 0o2004000;
const MAX_NAME_BYTES = 15;

export const TUN_F_CSUM = 1;
export const TUN_F_TSO4 = 2;
export const TUN_F_TSO6 = 4;

/** Where `struct ifreq` (40 bytes) and small integers stand in the scratch memory. */
const IFREQ = 1792;
const VALUE = 1840;

export interface TapOptions {
  /** Bytes of the virtio_net_hdr in front of each frame; 0: none. */
  headerBytes?: number;
  /** TUN_F_… that the reader can take: the kernel then hands over frames without checksums, or whole TCP segments. */
  offloads?: number;
  multiQueue?: boolean;
  mtu?: number;
}

/** Opens (or makes) a tap interface and brings it up. Needs CAP_NET_ADMIN. Throws a HostError that names it. */
export function openTap(name: string, options: TapOptions = {}): Fd {
  const { headerBytes = 0, offloads = 0, multiQueue = false, mtu } = options;
  const tun = openPath('/dev/net/tun', 'read-write', true);
  const fd = new Fd(tun.release(), `tap ${name}`);
  try {
    const flags =
      IFF_TAP | IFF_NO_PI | (headerBytes > 0 ? IFF_VNET_HDR : 0) | (multiQueue ? IFF_MULTI_QUEUE : 0);
    writeName(name);
    scratch.u16[(IFREQ + 16) / 2] = flags;
    checked(libc.ioctl(fd.number, TUNSETIFF, scratch.address + IFREQ), 'TUNSETIFF', name);
    if (headerBytes > 0) {
      scratch.i32[VALUE / 4] = headerBytes;
      checked(libc.ioctl(fd.number, TUNSETVNETHDRSZ, scratch.address + VALUE), 'TUNSETVNETHDRSZ', name);
    }
    if (offloads > 0) setTapOffloads(fd, offloads);
    bringUp(name, mtu);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/**
 * Says which TUN_F_… the reader of a tap interface can take from now on: frames without checksums, whole TCP segments.
 * Throws a HostError.
 */
export function setTapOffloads(tap: Descriptor, offloads: number): void {
  checked(libc.ioctl(tap.number, TUNSETOFFLOAD, offloads), 'TUNSETOFFLOAD', tap.kind);
}

function bringUp(name: string, mtu: number | undefined): void {
  const number = checked(libc.socket(AF_INET, SOCK_DGRAM | SOCK_FLAGS, 0), 'socket');
  const fd = new Fd(number, 'control socket');
  try {
    const request = scratch.address + IFREQ;
    writeName(name);
    if (mtu !== undefined) {
      scratch.i32[(IFREQ + 16) / 4] = mtu;
      checked(libc.ioctl(number, SIOCSIFMTU, request), 'SIOCSIFMTU', name);
    }
    checked(libc.ioctl(number, SIOCGIFFLAGS, request), 'SIOCGIFFLAGS', name);
    scratch.u16[(IFREQ + 16) / 2] |= IFF_UP;
    checked(libc.ioctl(number, SIOCSIFFLAGS, request), 'SIOCSIFFLAGS', name);
  } finally {
    fd.close();
  }
}

function writeName(name: string): void {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES) {
    throw new RangeError(`"${name}" is no interface name: 1 to ${MAX_NAME_BYTES} bytes`);
  }
  scratch.u8.fill(0, IFREQ, IFREQ + 40);
  scratch.u8.set(bytes, IFREQ);
}
