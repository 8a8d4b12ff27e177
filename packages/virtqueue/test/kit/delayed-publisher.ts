import type { Arena, Publisher } from '@vhostlab/memory';

interface Publication {
  /** Bytes captured when the word was published, with their place in the reader's arena. */
  readonly ranges: { at: number; bytes: Uint8Array }[];
  readonly apply: () => void;
}

/**
 * Holds published words back until `deliver`: the reader sees them, in order, when a test says so. `shift` is added to
 * an offset of the writer to get that of the reader. With two arenas (copy mode) covered bytes are taken when the word
 * is published and stored with it, and the writer's own memory never gets the word: whatever was not covered is missing
 * on the other side. Notifications travel in the same queue.
 */
export class DelayedPublisher implements Publisher {
  readonly #writer: Arena;
  readonly #reader: Arena;
  readonly #shift: number;
  readonly #queue: Publication[] = [];
  #ranges: Publication['ranges'] = [];
  #covers = 0;
  /** Number of the call to `cover` that is ignored, as if the ring code had left it out. */
  skippedCover = -1;
  published = 0;
  delivered = 0;
  notified = 0;

  constructor(writer: Arena, reader: Arena, shift: number) {
    this.#writer = writer;
    this.#reader = reader;
    this.#shift = shift;
  }

  get pending(): number {
    return this.#queue.length;
  }

  cover(offset: number, length: number): void {
    if (this.#writer === this.#reader || this.#covers++ === this.skippedCover) return;
    this.#ranges.push({ at: offset + this.#shift, bytes: this.#writer.u8.slice(offset, offset + length) });
  }

  u16(offset: number, value: number): void {
    if ((offset & 1) !== 0) throw new Error(`16-bit word published at ${offset}`);
    this.#push(() => {
      this.#reader.u16[(offset + this.#shift) >>> 1] = value;
    });
  }

  u32(offset: number, value: number): void {
    if ((offset & 3) !== 0) throw new Error(`32-bit word published at ${offset}`);
    this.#push(() => {
      this.#reader.u32[(offset + this.#shift) >>> 2] = value;
    });
  }

  /** A kick or a call: lands after everything published before. */
  notify(): void {
    this.#push(() => {
      this.notified++;
    });
  }

  #push(apply: () => void): void {
    this.#queue.push({ ranges: this.#ranges, apply });
    this.#ranges = [];
    this.published++;
  }

  /** Makes the next `count` publications visible. */
  deliver(count = this.#queue.length): void {
    for (const publication of this.#queue.splice(0, count)) {
      for (const { at, bytes } of publication.ranges) this.#reader.u8.set(bytes, at);
      publication.apply();
      this.delivered++;
    }
  }
}
