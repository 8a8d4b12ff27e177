import { HostError } from './host-error.ts';
import { scratch } from './scratch.ts';

const AF_UNIX = 1;
const ENAMETOOLONG = 36;
/** `sun_path` has 108 bytes, the last one zero. */
const MAX_PATH_BYTES = 107;
/** Where the address stands in the scratch memory. */
const AT = 1024;

/** Writes a `sockaddr_un` into the scratch memory; answers its address and length. Throws ENAMETOOLONG by name. */
export function unixAddress(path: string): { address: number; bytes: number } {
  const encoded = new TextEncoder().encode(path);
  if (encoded.length > MAX_PATH_BYTES) {
    throw new HostError('bind', ENAMETOOLONG, `${path} (a socket path has at most ${MAX_PATH_BYTES} bytes)`);
  }
  scratch.u16[AT / 2] = AF_UNIX;
  scratch.u8.fill(0, AT + 2, AT + 2 + MAX_PATH_BYTES + 1);
  scratch.u8.set(encoded, AT + 2);
  return { address: scratch.address + AT, bytes: 2 + encoded.length + 1 };
}
