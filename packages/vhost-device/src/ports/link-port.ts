import { drainEvent } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import type { FrameBatch } from '../frames/frame-batch.ts';
import { copyBetween, FrameRing, RECORD_HEADER_BYTES } from '../link/frame-ring.ts';
import { LINK_RING_BYTES, type LinkPairShared } from '../link/link-messages.ts';
import { microseconds } from '../link/link-session.ts';
import { LINK_COUNTER } from '../link/link-statistics.ts';
import type { Port } from './port.ts';

/** A guest's end of a link to another process. Frames that find no room on their way out are dropped and counted. */
export class LinkPort implements Port {
  readonly drops: { 'link-full': number } = { 'link-full': 0 };
  readonly finished = undefined;
  readonly keeps = true;
  readonly waitNumber: number;
  readonly #arena: Arena;
  readonly #out: FrameRing;
  readonly #in: FrameRing;
  readonly #counters: Float64Array;
  /** The link's thread may have signalled. */
  #isArmed = false;

  /** `counters`: of the queue pair. */
  constructor(shared: LinkPairShared, counters: Float64Array, arena: Arena) {
    this.#out = new FrameRing(LINK_RING_BYTES, shared.out);
    this.#in = new FrameRing(LINK_RING_BYTES, shared.in);
    this.waitNumber = shared.wakeNumber;
    this.#counters = counters;
    this.#arena = arena;
  }

  negotiated(): void {
    // frames without offloads
  }

  fromGuest(batch: FrameBatch): void {
    const stampUs = microseconds();
    for (let i = 0; i < batch.count; i++) {
      if (this.#out.put(this.#arena, batch.offset[i], batch.length[i], stampUs)) continue;
      this.drops['link-full']++;
      this.#counters[LINK_COUNTER.drop_link_full]++;
    }
    this.#out.publish();
  }

  toGuest(batch: FrameBatch, max: number): void {
    const ring = this.#in;
    let count = 0;
    if (this.#isArmed) {
      this.#isArmed = false;
      drainEvent(this.waitNumber);
    }
    if (ring.look()) {
      for (let at = ring.next(); at >= 0 && count < max; at = ring.next()) {
        const length = ring.arena.u32[at >>> 2];
        // longer than this device carries: the guest gets what fits in none of its buffers, and it is counted there
        if (length <= batch.frameBytes) {
          const home = batch.home(count);
          copyBetween(this.#arena, home, ring.arena, at + RECORD_HEADER_BYTES, length);
          batch.offset[count] = home;
          batch.length[count] = length;
          count++;
        } else this.#counters[LINK_COUNTER.drop_no_frame]++;
        ring.pass(length);
      }
      ring.release();
    }
    batch.count = count;
  }

  dueInNs(): number {
    if (this.#in.look()) return 0;
    this.#in.wantSignal();
    this.#isArmed = true;
    return this.#in.look() ? 0 : Number.POSITIVE_INFINITY;
  }

  flush(): void {
    // the link's thread has every frame
  }

  close(): void {
    // the link belongs to the process
  }
}
