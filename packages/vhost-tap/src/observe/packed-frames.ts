import type { Arena } from '@vhostlab/memory';
import { ObservedChain } from './chain.ts';
import { FrameCopier } from './frame-copier.ts';
import type { FrameSink, ObservedMemory, RingToObserve } from './ring-to-observe.ts';

/** Frames of a packed ring: those sent while they are outstanding, those received after they have come back. */
export class PackedFrames {
  readonly #ring: RingToObserve;
  readonly #sink: FrameSink | null;
  readonly #copier: FrameCopier;
  /** By id: segments of a receive buffer as they were offered, because used descriptors take their place. */
  readonly #kept: (ObservedChain | undefined)[] = [];

  constructor(
    arena: Arena,
    memory: ObservedMemory,
    ring: RingToObserve,
    headerBytes: number,
    sink: FrameSink | null,
  ) {
    this.#ring = ring;
    this.#sink = sink;
    this.#copier = new FrameCopier(arena, memory, headerBytes);
  }

  /** Copies a frame that is being sent; false when nobody wants it or it is not all there. */
  copy(chain: ObservedChain): boolean {
    return this.#sink !== null && this.#ring.direction === 'tx' && this.#copier.copyTransmitted(chain);
  }

  /** Hands on what was copied. */
  give(): void {
    if (this.#sink !== null) this.#copier.give(this.#sink, this.#ring.queue, this.#ring.direction);
  }

  /** Remembers where receive buffer `id` is. */
  keep(id: number, chain: ObservedChain): void {
    if (this.#sink === null || this.#ring.direction === 'tx') return;
    const kept = this.#kept[id] ?? new ObservedChain(16);
    this.#kept[id] = kept;
    kept.copyFrom(chain);
  }

  /**
   * Receive buffer `id` came back with `written` bytes. The driver owns it by now, so the frame is what memory holds, not
   * what is certain.
   */
  received(id: number, written: number): void {
    const chain = this.#kept[id];
    if (chain === undefined) this.#copier.restart();
    else if (this.#copier.takeReceived(chain, written)) this.give();
  }
}
