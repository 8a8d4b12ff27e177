/** Frames and bytes that one half of a worker handles before the other gets its turn: drivers/vhost/net.c. */
const WEIGHT_FRAMES = 256;
const WEIGHT_BYTES = 0x80000;

/** How much of its turn a half of a worker has had. */
export class Turn {
  #frames = 0;
  #bytes = 0;

  get isOver(): boolean {
    return this.#frames >= WEIGHT_FRAMES || this.#bytes >= WEIGHT_BYTES;
  }

  add(frames: number, bytes: number): void {
    this.#frames += frames;
    this.#bytes += bytes;
  }

  begin(): void {
    this.#frames = 0;
    this.#bytes = 0;
  }
}
