import { Fd } from './fd.ts';
import { ioctlBytes } from './ioctl.ts';
import { checked, libc } from './libc.ts';
import { scratch } from './scratch.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2004000;
/** ETH_P_ALL in the order of the network. */
const ALL_PROTOCOLS = 0x0300;
const SIOCGIFINDEX = 0x8933;
const IFREQ_BYTES = 40;
const MAX_NAME_BYTES = 15;
/** Where `struct sockaddr_ll` (20 bytes) stands in the scratch memory. */
const ADDRESS = 1920;
const ADDRESS_BYTES = 20;

/**
 * A raw socket at a network interface that never blocks: each read is a whole frame that came in there or went out,
 * those sent through this socket excepted; each write sends one. Needs CAP_NET_RAW. Throws a HostError.
 */
export function openPacketSocket(name: string): Fd {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES) {
    throw new RangeError(`"${name}" is no interface name: 1 to ${MAX_NAME_BYTES} bytes`);
  }
  // no protocol until it is bound: no frame of another interface comes before
  const fd = new Fd(
    checked(libc.socket(AF_PACKET, SOCK_RAW | SOCK_FLAGS, 0), 'socket'),
    `packets of ${name}`,
  );
  try {
    const request = new Uint8Array(IFREQ_BYTES);
    request.set(bytes);
    ioctlBytes(fd, SIOCGIFINDEX, 'SIOCGIFINDEX', request);
    const index = new DataView(request.buffer).getInt32(16, true);
    scratch.u8.fill(0, ADDRESS, ADDRESS + ADDRESS_BYTES);
    scratch.u16[ADDRESS / 2] = AF_PACKET;
    scratch.u16[ADDRESS / 2 + 1] = ALL_PROTOCOLS;
    scratch.i32[ADDRESS / 4 + 1] = index;
    checked(libc.bind(fd.number, scratch.address + ADDRESS, ADDRESS_BYTES), 'bind', fd.kind);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}
