/** A capture file that cannot be read further: what is wrong, and at which byte. */
export class CaptureError extends Error {
  /** Byte offset in the file of the structure that is wrong. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`);
    this.name = 'CaptureError';
    this.offset = offset;
  }
}
