import { ACCESS_READ, type Arena } from '@vhostlab/memory';
import type { ObservedMemory } from './ring-to-observe.ts';

/**
 * Copies guest memory into `into`, in however many pieces it lies; answers how many bytes there were before the first
 * that is not mapped. Reads only.
 */
export function copyGuest(
  arena: Arena,
  memory: ObservedMemory,
  address: number,
  length: number,
  into: Uint8Array,
  at: number,
): number {
  const whole = memory.translate(address, length, ACCESS_READ);
  const u8 = arena.u8;
  if (whole >= 0) {
    if (length > 256) into.set(u8.subarray(whole, whole + length), at);
    else for (let i = 0; i < length; i++) into[at + i] = u8[whole + i];
    return length;
  }
  for (let i = 0; i < length; i++) {
    const offset = memory.translate(address + i, 1, ACCESS_READ);
    if (offset < 0) return i;
    into[at + i] = u8[offset];
  }
  return length;
}
