/** Completions in order that make an order credible. */
const ENOUGH = 64;

/**
 * Whether a device uses buffers in the order in which they were made available. Only then are the entries behind its
 * place certainly outstanding, and what they refer to at rest.
 */
export class OrderEvidence {
  readonly #negotiated: boolean;
  #matches = 0;
  #broken = false;

  /** `negotiated`: VIRTIO_F_IN_ORDER. */
  constructor(negotiated: boolean) {
    this.#negotiated = negotiated;
  }

  /** One of `outstanding` buffers came back: it was the oldest, or not. Where there is no choice, it proves nothing. */
  note(isOldest: boolean, outstanding: number): void {
    if (!isOldest) this.#broken = true;
    else if (outstanding > 1) this.#matches++;
  }

  /** True: the order is a rule; false: it is a habit, which may end. */
  get isRule(): boolean {
    return this.#negotiated;
  }

  get inOrder(): boolean {
    return this.#negotiated || (!this.#broken && this.#matches >= ENOUGH);
  }
}

/** Faster than two cores can pass single buffers to each other through one queue; hardware with caches included. */
const MAX_BUFFERS_PER_NS = 0.05;

/** True when fewer than `buffers` buffers can have gone through a queue in `elapsedNs`. */
export function fewerThan(buffers: number, elapsedNs: number): boolean {
  return elapsedNs >= 0 && elapsedNs * MAX_BUFFERS_PER_NS < buffers;
}
