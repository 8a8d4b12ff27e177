import { checked, libc } from './libc.ts';
import { scratch } from './scratch.ts';

const MASK = 1536;
const MASK_BYTES = 128;

/** Binds the calling thread to these CPUs. Throws a HostError: EINVAL when the machine has none of them. */
export function setAffinity(cpus: readonly number[]): void {
  scratch.u8.fill(0, MASK, MASK + MASK_BYTES);
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= MASK_BYTES * 8) throw new RangeError(`no CPU ${cpu}`);
    scratch.u8[MASK + (cpu >> 3)] |= 1 << (cpu & 7);
  }
  const result = libc.schedSetaffinity(0, MASK_BYTES, scratch.address + MASK);
  checked(result, 'sched_setaffinity', `CPUs ${cpus.join(',')}`);
}
