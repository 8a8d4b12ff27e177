import type { Descriptor } from './fd.ts';
import { checked, libc } from './libc.ts';
import { scratch } from './scratch.ts';

/** Where the argument of a call stands in the scratch memory, and how many bytes it may have. */
const ARGUMENT = 4096;
const MAX_ARGUMENT_BYTES = 4096;

/**
 * An ioctl whose argument is a structure of up to 4096 bytes: the kernel reads `argument`, and what it writes is there
 * afterwards. Answers what the kernel answers; throws a HostError that names the call `name`.
 */
export function ioctlBytes(fd: Descriptor, request: number, name: string, argument: Uint8Array): number {
  if (argument.length > MAX_ARGUMENT_BYTES) {
    throw new RangeError(
      `${name}: an argument of ${argument.length} bytes is longer than ${MAX_ARGUMENT_BYTES}`,
    );
  }
  scratch.u8.set(argument, ARGUMENT);
  const result = checked(libc.ioctl(fd.number, request, scratch.address + ARGUMENT), name, fd.kind);
  argument.set(scratch.u8.subarray(ARGUMENT, ARGUMENT + argument.length));
  return result;
}

/** An ioctl whose argument is a number, or nothing (0). Answers what the kernel answers; throws a HostError. */
export function ioctlValue(fd: Descriptor, request: number, name: string, value = 0): number {
  return checked(libc.ioctl(fd.number, request, value), name, fd.kind);
}
