import type { Io } from '../src/io.ts';

/** An Io that keeps what a command writes. */
export interface FakeIo extends Io {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** What a test may look at or do besides. */
export interface FakeIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Sees every update of the progress line. */
  readonly onProgress?: (text: string) => void;
  /** Interrupts the command; nothing does by default. */
  readonly signal?: AbortSignal;
}

/** Makes an Io for one test. */
export function fakeIo({ env = {}, onProgress, signal }: FakeIoOptions = {}): FakeIo {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    env,
    progress: () => ({ update: (text) => onProgress?.(text), done: () => {} }),
    interruptible: () => signal ?? new AbortController().signal,
    stdout: () => out.join(''),
    stderr: () => err.join(''),
  };
}
