import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogPart } from '@vhostlab/trace';

/**
 * Where one process keeps its part of the event log while it runs: a temporary file, so that a long run
 * needs no memory for it. Chunk borders are kept, because a run of a task is never cut.
 */
export class LogStore {
  readonly #file = openNameless();
  readonly #lengths: number[] = [];
  #closed = false;
  bytes = 0;

  append(chunk: Uint8Array): void {
    writeSync(this.#file, chunk, 0, chunk.length, this.bytes);
    this.#lengths.push(chunk.length);
    this.bytes += chunk.length;
  }

  *chunks(): Generator<Uint8Array> {
    let at = 0;
    for (const length of this.#lengths) {
      const chunk = new Uint8Array(length);
      readSync(this.#file, chunk, 0, length, at);
      at += length;
      yield chunk;
    }
  }

  /** This store as a part of a log, with the strings of its process. */
  part(strings: readonly string[]): LogPart {
    return { strings, chunks: () => this.chunks() };
  }

  /** Gives the file's space back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }
}

/** An open temporary file without a name: nothing of it outlives the process, however that ends. */
function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-log-'));
  try {
    return openSync(join(folder, 'records'), 'w+');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
