const PAGE_BYTES = 4096;

/** Memory as taps tell it: what was published last at every byte, zero before that. */
export class MemoryReplay {
  readonly #pages = new Map<string, Uint8Array>();

  /** Bytes of a memory before the next `write` there. */
  read(memory: string, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const at = offset + i;
      bytes[i] = this.#pages.get(`${memory} ${Math.floor(at / PAGE_BYTES)}`)?.[at % PAGE_BYTES] ?? 0;
    }
    return bytes;
  }

  write(memory: string, offset: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const at = offset + i;
      const key = `${memory} ${Math.floor(at / PAGE_BYTES)}`;
      let page = this.#pages.get(key);
      if (page === undefined) {
        page = new Uint8Array(PAGE_BYTES);
        this.#pages.set(key, page);
      }
      page[at % PAGE_BYTES] = bytes[i];
    }
  }
}

/** The memory that a memory channel shows: of a guest (`vq.g.q`) or of a host driver's rings (`nicq.core`). */
export function memoryOf(channel: string): string | undefined {
  if (channel.startsWith('vq.')) return `guest${channel.split('.')[1]}`;
  return channel.startsWith('nicq.') ? `rings.${channel.slice('nicq.'.length)}` : undefined;
}
