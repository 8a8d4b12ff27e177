import { type Descriptor, readBytes, setNonBlocking, sleep, writeBytes } from '@vhostlab/host';

/**
 * Device state as DEVICE_STATE carries it: magic, version, length of the configuration, configuration. Rings travel as
 * bases and guest memory by itself, so the configuration is all that is left.
 */
const MAGIC = [0x76, 0x6c, 0x61, 0x62];
const VERSION = 1;
const HEADER_BYTES = 8;
const MAX_BYTES = 4096;
const POLL_MS = 2;

/** Writes the state to a pipe; null, or why it could not be written. The descriptor stays the caller's. */
export async function writeDeviceState(
  fd: Descriptor,
  config: Uint8Array,
  signal: AbortSignal,
): Promise<string | null> {
  const state = Uint8Array.from([...MAGIC, VERSION, 0, config.length & 0xff, config.length >> 8, ...config]);
  setNonBlocking(fd);
  for (let at = 0; at < state.length; ) {
    const put = writeBytes(fd, state.subarray(at));
    if (put === 'closed') return 'the reader of the device state has closed the pipe';
    if (put === 'again') {
      if (signal.aborted) return 'the device state was not read in time';
      await sleep(POLL_MS);
    } else {
      at += put;
    }
  }
  return null;
}

/** Reads a state up to the end of the stream: the configuration in it, or why it is refused. */
export async function readDeviceState(fd: Descriptor, signal: AbortSignal): Promise<Uint8Array | string> {
  const into = new Uint8Array(MAX_BYTES + 1);
  let length = 0;
  setNonBlocking(fd);
  for (;;) {
    const got = readBytes(fd, into.subarray(length));
    if (got === 'closed') break;
    if (got === 'again') {
      if (signal.aborted) return 'the device state did not end in time';
      await sleep(POLL_MS);
      continue;
    }
    length += got;
    if (length > MAX_BYTES) return `a device state has at most ${MAX_BYTES} bytes`;
  }
  return decode(into.subarray(0, length));
}

function decode(state: Uint8Array): Uint8Array | string {
  if (state.length < HEADER_BYTES || MAGIC.some((byte, at) => state[at] !== byte)) {
    return 'the device state was not written by this kind of device';
  }
  if (state[4] !== VERSION) return `the device state has version ${state[4]}, this device reads ${VERSION}`;
  const configBytes = (state[6] as number) + 256 * (state[7] as number);
  if (state.length !== HEADER_BYTES + configBytes) {
    return `the device state has ${state.length} bytes, its header says ${HEADER_BYTES + configBytes}`;
  }
  return state.slice(HEADER_BYTES);
}
