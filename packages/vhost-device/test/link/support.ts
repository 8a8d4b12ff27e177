import { createArena } from '@vhostlab/memory';
import { FrameBatch } from '../../src/frames/frame-batch.ts';
import { RealLink } from '../../src/link/real-link.ts';
import { LinkPort } from '../../src/ports/link-port.ts';

/** One end of a link with a port for one guest, in this thread. */
export class LinkEnd {
  readonly link: RealLink;
  readonly lines: string[];
  readonly port: LinkPort;
  readonly #arena = createArena(4 * 1024 * 1024);
  readonly #out = new FrameBatch(this.#arena, 2048);
  readonly #in = new FrameBatch(this.#arena, 2048);
  /** Number of the next frame. */
  #sent = 0;

  private constructor(link: RealLink, lines: string[]) {
    this.link = link;
    this.lines = lines;
    this.port = new LinkPort(link.pairs[0], link.statistics.of(0), this.#arena);
  }

  static async start(how: 'dial' | 'listen', address: string, security = {}): Promise<LinkEnd> {
    const lines: string[] = [];
    const link = await RealLink.start({ how, address, security }, 1, (line) => void lines.push(line));
    return new LinkEnd(link, lines);
  }

  /** Sends a burst of numbered frames, up to 64. Frame n has 60 + n % 67 bytes, and each byte tells its number. */
  send(frames: number): void {
    const batch = this.#out;
    for (let i = 0; i < frames; i++) {
      const number = this.#sent++;
      batch.offset[i] = batch.home(i);
      batch.length[i] = 60 + (number % 67);
      for (let k = 0; k < batch.length[i]; k++) this.#arena.u8[batch.offset[i] + k] = (number + k) & 0xff;
      this.#arena.u32[batch.offset[i] >>> 2] = number;
    }
    batch.count = frames;
    this.port.fromGuest(batch);
  }

  /** Numbers of the frames that have come, each of which was checked. */
  receive(): number[] {
    const batch = this.#in;
    const numbers: number[] = [];
    for (;;) {
      this.port.toGuest(batch, 64);
      if (batch.count === 0) return numbers;
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset[i];
        const number = this.#arena.u32[at >>> 2];
        if (batch.length[i] !== 60 + (number % 67))
          throw new Error(`frame ${number} has ${batch.length[i]} bytes`);
        for (let k = 4; k < batch.length[i]; k++) {
          if (this.#arena.u8[at + k] !== ((number + k) & 0xff))
            throw new Error(`frame ${number} differs at ${k}`);
        }
        numbers.push(number);
      }
    }
  }

  get counters() {
    return this.link.statistics.snapshot()[0];
  }
}
