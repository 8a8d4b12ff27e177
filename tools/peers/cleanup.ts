import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { peerFolder } from './process.ts';

/** Whatever a test starts and must end: peers, guests, switches. */
export interface Stoppable {
  stop(): Promise<void>;
}

/** What one test started, ended in reverse order whatever happened, and a folder for its sockets and files. */
export class Cleanup {
  readonly folder = peerFolder('test');
  readonly #started: Stoppable[] = [];

  /** A path in the test's folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Remembers what was started, and hands it on. */
  async add<T extends Stoppable>(started: T | Promise<T>): Promise<T> {
    const it = await started;
    this.#started.push(it);
    return it;
  }

  /** Ends everything and removes the folder; the first error is thrown when all has been tried. */
  async stop(): Promise<void> {
    const errors: unknown[] = [];
    for (const it of this.#started.splice(0).reverse()) {
      await it.stop().catch((error: unknown) => errors.push(error));
    }
    rmSync(this.folder, { recursive: true, force: true });
    if (errors.length > 0) throw errors[0];
  }
}
