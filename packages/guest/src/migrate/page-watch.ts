import { PageSet, type Publisher } from '@vhostlab/memory';

/**
 * KVM's part of a migration: which pages of guest memory a vCPU has written. Whatever a driver writes that a device is to
 * see is covered or published, so a publisher sees it; the driver's own bookkeeping is not in guest memory here.
 */
export class PageWatch implements Publisher {
  readonly #inner: Publisher;
  readonly #bytes: number;
  #base: number;
  #pages: PageSet | undefined;

  /** `base`: arena offset of guest address 0; `bytes`: of the guest's memory. */
  constructor(inner: Publisher, base: number, bytes: number) {
    this.#inner = inner;
    this.#base = base;
    this.#bytes = bytes;
  }

  /** Notes pages from now on. */
  begin(): void {
    this.#pages = new PageSet(this.#bytes);
  }

  /** The pages noted since the last call, as the bytes of a dirty log. */
  take(): Uint8Array {
    return this.#pages?.take() ?? new Uint8Array(0);
  }

  /** The guest's memory is elsewhere from now on, and nothing is noted any more. */
  end(base: number): void {
    this.#base = base;
    this.#pages = undefined;
  }

  /** The guest wrote `length` bytes at arena offset `offset` that it does not publish. */
  wrote(offset: number, length: number): void {
    this.#pages?.addRange(offset - this.#base, length);
  }

  cover(offset: number, length: number): void {
    this.#pages?.addRange(offset - this.#base, length);
    this.#inner.cover(offset, length);
  }

  u16(offset: number, value: number): void {
    this.#pages?.addRange(offset - this.#base, 2);
    this.#inner.u16(offset, value);
  }

  u32(offset: number, value: number): void {
    this.#pages?.addRange(offset - this.#base, 4);
    this.#inner.u32(offset, value);
  }
}
