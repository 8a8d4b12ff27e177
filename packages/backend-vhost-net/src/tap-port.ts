import { type CoreContext, type Counter, emptyFrameMeta, type LinkEnd } from '@vhostlab/engine';
import type { PacketPool } from '@vhostlab/memory';

/** Frames of one burst, and what a burst of an earlier upcall may add to it. */
const BURST_LIMIT = 256;

/**
 * Sends frames into the queue of a guest's tap, which is bounded: a frame that finds it full is dropped, as
 * `tun_net_xmit` does. Frames are collected and sent with `flush`, so that the burst's cost comes before them.
 */
export class TapPort {
  readonly #context: CoreContext;
  readonly #pool: PacketPool;
  readonly #link: LinkEnd;
  readonly #places: number;
  readonly #limit: number;
  readonly #burst = new Uint32Array(BURST_LIMIT);
  readonly #meta = emptyFrameMeta();
  readonly #opEnqueue: number;
  readonly #stageEnqueue: number;
  readonly #dropFull: Counter;
  #count = 0;

  constructor(context: CoreContext, endName: string, pool: PacketPool) {
    this.#context = context;
    this.#pool = pool;
    this.#link = context.link(endName);
    this.#places = this.#link.free();
    this.#limit = context.constant('tap.queueLength');
    this.#opEnqueue = context.op('tap.enqueue');
    this.#stageEnqueue = context.stage('tap.enqueue');
    this.#dropFull = context.counter('drop.tap-queue-full');
  }

  /** Takes frame `index` of the pool. */
  send(index: number): void {
    if (this.#count === BURST_LIMIT) this.flush();
    this.#burst[this.#count++] = index;
  }

  /** Sends what was taken; frees the buffers. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const { meter, recorder } = this.#context;
    const pool = this.#pool;
    const queued = this.#places - this.#link.free();
    const room = Math.max(0, Math.min(count, this.#limit - queued));
    let bytes = 0;
    for (let i = 0; i < room; i++) bytes += pool.length[this.#burst[i]];
    meter.charge(this.#opEnqueue, room, bytes);
    const now = this.#context.now();
    let sent = 0;
    while (sent < room) {
      const index = this.#burst[sent];
      pool.getMeta(index, this.#meta);
      if (!this.#link.send(pool.offset[index], pool.length[index], this.#meta, now)) break;
      if (recorder.sampled(pool.packet[index])) {
        recorder.event(this.#stageEnqueue, pool.packet[index], queued + sent, pool.length[index]);
      }
      sent++;
    }
    this.#dropFull.value += pool.wireFramesOf(this.#burst, sent, count - sent);
    pool.freeBulk(this.#burst, 0, count);
  }
}
