import { viewMemory } from './libc.ts';
import { mapPrivate } from './mmap.ts';

/** Bytes for the payload of one message or one small structure. */
export const SCRATCH_BYTES = 128 * 1024;

/**
 * Memory of this thread at a known address, for structures that system calls read and write. Every use is over when
 * the function that filled it returns.
 */
export interface Scratch {
  readonly address: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
}

function make(): Scratch {
  const address = mapPrivate(SCRATCH_BYTES);
  const buffer = viewMemory(address, SCRATCH_BYTES);
  return {
    address,
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    u64: new BigUint64Array(buffer),
  };
}

export const scratch: Scratch = make();
