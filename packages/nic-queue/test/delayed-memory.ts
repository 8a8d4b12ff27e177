import { type Arena, createArena, type Publisher } from '@vhostlab/memory';

/** One publication on its way: covered bytes as they were, then a word. */
interface Message {
  copies: { offset: number; bytes: Uint8Array }[];
  deliver: () => void;
}

/**
 * One direction of a memory channel with delayed visibility. `shared`: both ends use one memory and only words are late.
 * `replica`: the reader has its own memory, which changes by covered bytes and words alone, so that whatever was not
 * covered is missing there.
 */
export class DelayedMemory implements Publisher {
  readonly #queue: Message[] = [];
  #copies: Message['copies'] = [];
  readonly writer: Arena;
  readonly reader: Arena;

  constructor(writer: Arena, reader: Arena) {
    this.writer = writer;
    this.reader = reader;
  }

  cover(offset: number, length: number): void {
    if (this.writer !== this.reader) {
      this.#copies.push({ offset, bytes: this.writer.u8.slice(offset, offset + length) });
    }
  }

  u16(offset: number, value: number): void {
    this.send(() => {
      this.reader.u16[offset >>> 1] = value;
    });
  }

  u32(offset: number, value: number): void {
    this.send(() => {
      this.reader.u32[offset >>> 2] = value;
    });
  }

  /** A register write: carries what was covered, as a word does. */
  send(deliver: () => void): void {
    this.#queue.push({ copies: this.#copies, deliver });
    this.#copies = [];
  }

  get inFlight(): number {
    return this.#queue.length;
  }

  /** Makes the oldest `count` publications visible, in order. */
  advance(count: number): void {
    for (const { copies, deliver } of this.#queue.splice(0, count)) {
      for (const { offset, bytes } of copies) this.reader.u8.set(bytes, offset);
      deliver();
    }
  }
}

/** Memories of a driver and a device, at the same offsets, and both directions between them. */
export function connect(mode: 'shared' | 'replica', bytes: number) {
  const driver = createArena(bytes);
  const device = mode === 'shared' ? driver : createArena(bytes);
  return { driver, device, down: new DelayedMemory(driver, device), up: new DelayedMemory(device, driver) };
}
