import type { PeerExit, PeerProcess } from '../../../../tools/peers/index.ts';
import type { PeerControl } from '../../src/index.ts';

/** A peer that a script of tools/peers starts. */
export class ProcessControl implements PeerControl {
  readonly pid = null;
  readonly #begin: () => Promise<PeerProcess>;
  #process: PeerProcess | null = null;
  #exit: PeerExit | null = null;
  /** How often it was started. */
  starts = 0;

  constructor(begin: () => Promise<PeerProcess>) {
    this.#begin = begin;
  }

  get ended(): string | null {
    if (this.#exit === null) return null;
    const { code, signal } = this.#exit;
    return signal === null ? `its process ended with status ${code}` : `its process was ended by ${signal}`;
  }

  get crashed(): boolean {
    return this.#exit !== null && this.#exit.signal !== null;
  }

  async start(): Promise<void> {
    await this.stop();
    this.#exit = null;
    this.starts++;
    const started = await this.#begin();
    this.#process = started;
    void started.exit.then((exit) => {
      if (this.#process === started) this.#exit = exit;
    });
  }

  async stop(): Promise<void> {
    const process = this.#process;
    this.#process = null;
    await process?.stop();
  }
}
