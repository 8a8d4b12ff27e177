import { closeAll, createFile, type Fd, writeBytes } from '@vhostlab/host';

const BUFFER_BYTES = 64 * 1024;

/** A file that is written in pieces of some size; `flush` brings it up to date. */
export class FileSink {
  readonly #fd: Fd;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;
  /** Bytes given so far: the place of the next one. */
  length = 0;
  readonly #encoder = new TextEncoder();

  /** Makes the file, or empties it. Throws the system's error, which names it. */
  constructor(path: string) {
    this.#fd = createFile(path);
  }

  text(text: string): void {
    this.bytes(this.#encoder.encode(text));
  }

  bytes(bytes: Uint8Array): void {
    this.length += bytes.length;
    if (this.#used + bytes.length > BUFFER_BYTES) this.flush();
    if (bytes.length > BUFFER_BYTES) {
      this.#write(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    if (this.#used === 0) return;
    this.#write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  close(): void {
    if (!this.#fd.isOpen) return;
    this.flush();
    closeAll([this.#fd]);
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const put = writeBytes(this.#fd, bytes.subarray(at));
      if (typeof put !== 'number') throw new Error(`${this.#fd.kind} cannot be written: is the disk full?`);
      at += put;
    }
  }
}
