/** One buffer as the test made it. */
export interface Buffer {
  readonly token: number;
  readonly segments: readonly { address: number; length: number; writable: boolean }[];
  readonly writableBytes: number;
  /** Ring descriptors that it takes. */
  readonly descriptors: number;
  slot: number;
  written: number;
}

/** Buffers that one published word makes visible once `publication` of that channel is delivered. */
interface Visible {
  readonly buffer: Buffer;
  readonly publication: number;
}

/**
 * What a virtqueue does, without any ring: lists of buffers. `inOrder`: used buffers are visible in the order in which
 * they were made available.
 */
export class Oracle {
  readonly size: number;
  readonly inOrder: boolean;
  unpublished: Buffer[] = [];
  available: Visible[] = [];
  popped: Buffer[] = [];
  /** Everything popped and not given back, whatever became of it. */
  history: Buffer[] = [];
  completed: Buffer[] = [];
  used: Visible[] = [];
  nextToken = 1;
  usedDescriptors = 0;

  constructor(size: number, inOrder: boolean) {
    this.size = size;
    this.inOrder = inOrder;
  }

  get freeSlots(): number {
    return this.size - this.usedDescriptors;
  }

  add(buffer: Buffer): void {
    this.unpublished.push(buffer);
    this.usedDescriptors += buffer.descriptors;
  }

  publish(publication: number): void {
    for (const buffer of this.unpublished.splice(0)) this.available.push({ buffer, publication });
  }

  visibleAvailable(delivered: number): number {
    return this.available.filter((each) => each.publication <= delivered).length;
  }

  pop(count: number): Buffer[] {
    const taken = this.available.splice(0, count).map((each) => each.buffer);
    this.popped.push(...taken);
    this.history.push(...taken);
    return taken;
  }

  /** How many of the buffers popped last are not completed. */
  get givable(): number {
    const pending = this.pending;
    return this.history.length - 1 - this.history.findLastIndex((buffer) => !pending.includes(buffer));
  }

  unpop(count: number): void {
    this.history.splice(this.history.length - count, count);
    const back = this.popped.splice(this.popped.length - count, count);
    this.available.unshift(...back.map((buffer) => ({ buffer, publication: 0 })));
  }

  /** Buffers that a device could complete next. */
  get pending(): Buffer[] {
    return this.popped.filter((buffer) => !this.completed.includes(buffer));
  }

  complete(buffer: Buffer, written: number): void {
    buffer.written = written;
    this.completed.push(buffer);
  }

  /** Buffers that publishing makes used now. */
  flushable(): Buffer[] {
    if (!this.inOrder) return [...this.completed];
    const ready: Buffer[] = [];
    for (const buffer of this.popped) {
      if (!this.completed.includes(buffer)) break;
      ready.push(buffer);
    }
    return ready;
  }

  publishUsed(publication: number): void {
    for (const buffer of this.flushable()) {
      this.used.push({ buffer, publication });
      this.popped.splice(this.popped.indexOf(buffer), 1);
      this.completed.splice(this.completed.indexOf(buffer), 1);
    }
  }

  visibleUsed(delivered: number): number {
    return this.used.filter((each) => each.publication <= delivered).length;
  }

  popUsed(count: number): Buffer[] {
    const taken = this.used.splice(0, count).map((each) => each.buffer);
    for (const buffer of taken) this.usedDescriptors -= buffer.descriptors;
    return taken;
  }

  get outstanding(): number[] {
    const all = [...this.used, ...this.available].map((each) => each.buffer);
    return [...all, ...this.popped, ...this.unpublished].map((buffer) => buffer.token).sort((a, b) => a - b);
  }
}
