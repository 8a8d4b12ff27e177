/** Buffers that came back from the device: struct of arrays, filled again by every `popUsed`. */
export class UsedBatch {
  readonly capacity: number;
  /** The caller's own number for the buffer, as given to `add…`. */
  readonly token: Float64Array;
  /** Head descriptor (split) or buffer id (packed), as returned by `add…`. */
  readonly slot: Uint16Array;
  /** Bytes that the device wrote into the buffer. */
  readonly length: Float64Array;
  count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.token = new Float64Array(capacity);
    this.slot = new Uint16Array(capacity);
    this.length = new Float64Array(capacity);
  }
}
