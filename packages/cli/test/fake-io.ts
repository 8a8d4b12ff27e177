import type { Io } from '../src/io.ts';

/** An Io that keeps what a command writes. */
export interface FakeIo extends Io {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** Makes an Io for one test; the progress line is silent and nothing interrupts. */
export function fakeIo(env: Readonly<Record<string, string>> = {}): FakeIo {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    env,
    progress: () => ({ update: () => {}, done: () => {} }),
    interruptible: () => new AbortController().signal,
    stdout: () => out.join(''),
    stderr: () => err.join(''),
  };
}
