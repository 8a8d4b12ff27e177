import { createHash, type Hash } from 'node:crypto';
import type { FrameSource } from './frame-source.ts';

const STAGING_BYTES = 65536;
/** Frames up to this length are copied byte by byte, which beats a call then. */
const SHORT_COPY_BYTES = 96;

/**
 * frames_sha256: SHA-256 over the length (u32, little-endian) and the bytes of each frame, in order. Frames are
 * gathered in a buffer and hashed 64 KiB at a time.
 */
export class FrameHasher {
  /** Frames and bytes taken so far. */
  frames = 0;
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');
  readonly #staging = Buffer.alloc(STAGING_BYTES);
  #used = 0;

  /** Adds the frame of `length` bytes at `offset`. */
  add(u8: Uint8Array, offset: number, length: number): void {
    this.frames++;
    this.bytes += length;
    if (this.#used + 4 + length > STAGING_BYTES) this.#flush();
    const staging = this.#staging;
    let at = this.#used;
    staging[at++] = length;
    staging[at++] = length >>> 8;
    staging[at++] = length >>> 16;
    staging[at++] = length >>> 24;
    if (length <= SHORT_COPY_BYTES) {
      for (let i = 0; i < length; i++) staging[at + i] = u8[offset + i];
    } else if (length <= STAGING_BYTES - 4) {
      Buffer.prototype.copy.call(u8, staging, at, offset, offset + length);
    } else {
      this.#used = at;
      this.#flush();
      this.#hash.update(u8.subarray(offset, offset + length));
      return;
    }
    this.#used = at + length;
  }

  /** The hash so far as lower-case hexadecimal; more frames may follow. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    // A full buffer is passed as it is: a view is made only for the last part.
    const full = this.#used === STAGING_BYTES;
    this.#hash.update(full ? this.#staging : this.#staging.subarray(0, this.#used));
    this.#used = 0;
  }
}

/**
 * One hash for several queues: that of the only queue, or SHA-256 over the queues' hashes (32 bytes each) in queue
 * order.
 */
export function combineFrameHashes(queueHashes: readonly string[]): string {
  if (queueHashes.length === 1) return queueHashes[0];
  const hash = createHash('sha256');
  for (const digest of queueHashes) hash.update(digest, 'hex');
  return hash.digest('hex');
}

/** frames_sha256 of all frames that a source still has: what an undisturbed run of it delivers on one queue. */
export function hashSource(source: FrameSource): string {
  const hasher = new FrameHasher();
  const memory = new Uint8Array(source.maxLength);
  while (source.next()) hasher.add(memory, 0, source.write(memory, 0));
  return hasher.digest();
}
