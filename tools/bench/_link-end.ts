import { createArena } from '../../packages/memory/src/index.ts';
import { FrameBatch } from '../../packages/vhost-device/src/frames/frame-batch.ts';
import { LinkPort, RealLink } from '../../packages/vhost-device/src/index.ts';

/** Frame of 64 bytes on the wire: 60 in memory. */
const FRAME_BYTES = 60;
const BURST = 64;

/** One end of a link and a guest that sends bursts of 64, or takes what comes. */
export class LinkBench {
  taken = 0;
  readonly #link: RealLink;
  readonly #port: LinkPort;
  readonly #batch: FrameBatch;
  readonly #others: FrameBatch;

  private constructor(link: RealLink) {
    const arena = createArena(4 * 1024 * 1024);
    this.#link = link;
    this.#port = new LinkPort(link.pairs[0], link.statistics.of(0), arena);
    this.#batch = new FrameBatch(arena, 2048);
    this.#others = new FrameBatch(arena, 2048);
    for (let i = 0; i < BURST; i++) {
      arena.u8.fill(i + 1, this.#batch.offset[i], this.#batch.offset[i] + FRAME_BYTES);
      this.#batch.length[i] = FRAME_BYTES;
    }
    this.#batch.count = BURST;
  }

  static async start(how: 'dial' | 'listen', address: string): Promise<LinkBench> {
    return new LinkBench(await RealLink.start({ how, address, security: {} }, 1, () => undefined));
  }

  get address(): string {
    return this.#link.address;
  }

  get counters() {
    return this.#link.statistics.snapshot()[0];
  }

  /** A burst of 64. */
  send(): void {
    this.#port.fromGuest(this.#batch);
  }

  /** Takes what is there; answers how many frames. */
  take(): number {
    const before = this.taken;
    do {
      this.#port.toGuest(this.#others, BURST);
      this.taken += this.#others.count;
    } while (this.#others.count > 0);
    return this.taken - before;
  }

  stop(): Promise<void> {
    return this.#link.stop();
  }
}
