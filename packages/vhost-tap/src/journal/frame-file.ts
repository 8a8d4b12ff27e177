import { PcapngWriter } from '@vhostlab/packet';
import type { Direction } from '../observe/ring-to-observe.ts';
import { FileSink } from './file-sink.ts';

/** The frames that were seen in rings, one interface per queue. */
export class FrameFile {
  readonly #sink: FileSink;
  readonly #writer = new PcapngWriter();
  readonly #interfaces = new Map<string, number>();
  readonly #maxFrames: number;
  frames = 0;

  /** After `maxFrames` no more are kept. */
  constructor(path: string, maxFrames: number) {
    this.#sink = new FileSink(path);
    this.#maxFrames = maxFrames;
  }

  get isFull(): boolean {
    return this.frames >= this.#maxFrames;
  }

  /** `wallNs`: since 1970. */
  frame(
    session: number,
    queue: number,
    direction: Direction,
    bytes: Uint8Array,
    length: number,
    wallNs: bigint,
  ): void {
    if (this.isFull) return;
    this.frames++;
    this.#writer.write({
      bytes,
      originalLength: length,
      timestampNs: wallNs,
      interfaceId: this.#interface(session, queue, direction),
    });
    this.#sink.bytes(this.#writer.take());
  }

  flush(): void {
    this.#sink.flush();
  }

  close(): void {
    this.#sink.bytes(this.#writer.take());
    this.#sink.close();
  }

  #interface(session: number, queue: number, direction: Direction): number {
    const name = `${session > 1 ? `session${session}-` : ''}vq${queue}-${direction}`;
    let id = this.#interfaces.get(name);
    if (id === undefined) {
      const description =
        direction === 'tx'
          ? 'guest transmits: read while the device had it'
          : 'guest receives: read after the device gave it back';
      id = this.#writer.addInterface({ name, description });
      this.#interfaces.set(name, id);
    }
    return id;
  }
}
