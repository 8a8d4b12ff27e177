import { NO_F64, NO_U8, NO_U32 } from './no-arrays.ts';

/** The buffers of one request on the driver side, device-readable ones first; filled again for every request. */
export class SegmentList {
  readonly address: Float64Array = NO_F64;
  readonly length: Uint32Array = NO_U32;
  readonly writable: Uint8Array = NO_U8;
  count = 0;

  constructor(capacity: number) {
    this.address = new Float64Array(capacity);
    this.length = new Uint32Array(capacity);
    this.writable = new Uint8Array(capacity);
  }

  clear(): void {
    this.count = 0;
  }

  /** Appends `length` bytes at the guest address `address`; throws when the list is full. */
  push(address: number, length: number, writable: boolean): void {
    const i = this.count;
    if (i === this.address.length) throw new RangeError(`segment list of ${i} entries is full`);
    this.address[i] = address;
    this.length[i] = length;
    this.writable[i] = writable ? 1 : 0;
    this.count = i + 1;
  }
}
