import { NO_F64, NO_U16 } from './no-arrays.ts';

/** Buffers that came back from the device: struct of arrays, filled again by every `popUsed`. */
export class UsedBatch {
  readonly capacity: number = 0;
  /** The caller's own number for the buffer, as given to `add…`. */
  readonly token: Float64Array = NO_F64;
  /** Head descriptor (split) or buffer id (packed), as returned by `add…`. */
  readonly slot: Uint16Array = NO_U16;
  /** Bytes that the device wrote into the buffer. */
  readonly length: Float64Array = NO_F64;
  count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.token = new Float64Array(capacity);
    this.slot = new Uint16Array(capacity);
    this.length = new Float64Array(capacity);
  }
}
