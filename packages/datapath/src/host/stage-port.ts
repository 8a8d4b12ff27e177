import { type CoreContext, type Counter, emptyFrameMeta, type LinkEnd } from '@vhostlab/engine';
import type { PacketPool } from '@vhostlab/memory';

const BURST = 64;

/**
 * One end of the lock-free rings between two cores of a pipeline. In reality buffers pass by pointer; here each
 * core has a pool of its own, so bytes are copied without a charge. The port number travels with a frame.
 */
export class StagePort {
  /** Bridge port of the frames of the last `receive`. */
  port = 0;
  readonly #context: CoreContext;
  readonly #pool: PacketPool;
  readonly #link: LinkEnd;
  readonly #meta = emptyFrameMeta();
  readonly #waiting: Uint32Array;
  readonly #ports: Uint16Array;
  #count = 0;
  readonly #opEnqueue: number;
  readonly #opDequeue: number;
  readonly #dropFull: Counter;

  /** `queued`: frames that `send` takes between two calls of `flush`, at most. */
  constructor(context: CoreContext, endName: string, pool: PacketPool, queued = BURST * 4) {
    this.#context = context;
    this.#pool = pool;
    this.#link = context.link(endName);
    this.#waiting = new Uint32Array(queued);
    this.#ports = new Uint16Array(queued);
    this.#opEnqueue = context.op('switch.ring_enqueue');
    this.#opDequeue = context.op('switch.ring_dequeue');
    this.#dropFull = context.counter('drop.stage-ring-full');
  }

  /**
   * Takes up to `max` frames of one port (`port`) into buffers of the pool; their indices go to `out`. Answers
   * how many, and charges them; frames wait in the ring while the pool is dry.
   */
  receive(out: Uint32Array, max: number): number {
    const link = this.#link;
    const pool = this.#pool;
    let count = 0;
    let bytes = 0;
    while (count < max && link.receive()) {
      const { meta, length } = link;
      if (count === 0) this.port = meta.aux;
      else if (meta.aux !== this.port) break;
      const index = pool.alloc();
      if (index < 0) break;
      pool.setMeta(index, meta);
      pool.length[index] = length;
      this.#context.arena.copy(pool.offset[index], link.offset, length);
      link.release();
      out[count++] = index;
      bytes += length;
    }
    if (count > 0) this.#context.meter.charge(this.#opDequeue, count, bytes);
    return count;
  }

  /** Queues frame `index` for `port`; false, with the frame left to the caller, when too many wait for `flush`. */
  send(index: number, port: number): boolean {
    if (this.#count === this.#waiting.length) return false;
    this.#ports[this.#count] = port;
    this.#waiting[this.#count++] = index;
    return true;
  }

  /** Puts what is queued into the ring and frees the buffers; a full ring drops the rest. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const pool = this.#pool;
    const meta = this.#meta;
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += pool.length[this.#waiting[i]];
    this.#context.meter.charge(this.#opEnqueue, count, bytes);
    const now = this.#context.now();
    for (let i = 0; i < count; i++) {
      const index = this.#waiting[i];
      pool.getMeta(index, meta);
      meta.aux = this.#ports[i];
      if (this.#link.send(pool.offset[index], pool.length[index], meta, now)) continue;
      this.#dropFull.value += pool.wireFrames(index);
    }
    pool.freeBulk(this.#waiting, 0, count);
  }
}
