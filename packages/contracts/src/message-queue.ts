/**
 * An async iterable that one side fills and one side reads, in order. Nothing is lost: what was pushed before `end`
 * or `fail` is read first. Handlers of bidirectional calls return one to answer whenever they like.
 */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  #items: T[] = [];
  #head = 0;
  #ended = false;
  #failure: unknown;
  #failed = false;
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (reason: unknown) => void } | undefined;
  #drain: { promise: Promise<void>; resolve: () => void } | undefined;
  readonly #highWater: number;

  /** `highWater`: messages that may wait unread before `push` asks the writer to wait. */
  constructor(highWater = 256) {
    this.#highWater = highWater;
  }

  /** Messages that wait unread. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** True after `end`, `fail` or `return`: further pushes are ignored. */
  get closed(): boolean {
    return this.#ended;
  }

  /** Adds a message. Answers a promise that the writer should wait for when too many are unread. */
  push(item: T): Promise<void> | undefined {
    if (this.#ended) {
      return undefined;
    }
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: item });
      return undefined;
    }
    this.#items.push(item);
    if (this.size < this.#highWater) {
      return undefined;
    }
    this.#drain ??= Promise.withResolvers<void>();
    return this.#drain.promise;
  }

  /** No more messages will come. */
  end(): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  /** No more messages will come; the reader gets `reason` as an exception after what is there. */
  fail(reason: unknown): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    if (this.#waiting !== undefined) {
      this.#waiting.reject(reason);
      this.#waiting = undefined;
      return;
    }
    this.#failed = true;
    this.#failure = reason;
  }

  /** Takes the next message; one reader at a time. */
  next(): Promise<IteratorResult<T>> {
    if (this.size > 0) {
      return Promise.resolve({ done: false, value: this.#take() });
    }
    if (this.#failed) {
      this.#failed = false;
      return Promise.reject(this.#failure);
    }
    if (this.#ended) {
      return Promise.resolve({ done: true, value: undefined });
    }
    if (this.#waiting !== undefined) {
      throw new Error('A MessageQueue has one reader; next() was called while another next() waits.');
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** The reader stops: what is unread is thrown away. */
  return(): Promise<IteratorResult<T>> {
    this.end();
    this.#failed = false;
    this.#items = [];
    this.#head = 0;
    this.#release();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): T {
    const item = this.#items[this.#head] as T;
    this.#items[this.#head] = undefined as T;
    this.#head += 1;
    if (this.#head === this.#items.length || this.#head >= 1024) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.size < this.#highWater / 2) {
      this.#release();
    }
    return item;
  }

  #release(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }
}
