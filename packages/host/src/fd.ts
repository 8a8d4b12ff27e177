import { readdirSync } from 'node:fs';
import { checked, libc } from './libc.ts';

const F_DUPFD_CLOEXEC = 1030;

/** What calls need of a descriptor that stays its owner's. */
export interface Descriptor {
  readonly number: number;
  readonly kind?: string;
}

/**
 * A file descriptor and its one owner. Whoever holds the object closes it; handing it on means giving the object away.
 * `number` is -1 once it is closed, so that a late use fails with EBADF instead of hitting somebody else's file.
 */
export class Fd implements Descriptor {
  #number: number;
  /** What it is, for people: `eventfd`, `memfd guest`. */
  readonly kind: string;

  constructor(number: number, kind: string) {
    if (!Number.isInteger(number) || number < 0) throw new RangeError(`${number} is no file descriptor`);
    this.#number = number;
    this.kind = kind;
  }

  get number(): number {
    return this.#number;
  }

  get isOpen(): boolean {
    return this.#number >= 0;
  }

  /** Closes it; a second call does nothing. */
  close(): void {
    if (this.#number < 0) return;
    libc.close(this.#number);
    this.#number = -1;
  }

  /** A second descriptor of the same file, with an owner of its own. Throws a HostError. */
  dup(): Fd {
    return new Fd(checked(libc.fcntl(this.#number, F_DUPFD_CLOEXEC, 0), 'fcntl', this.kind), this.kind);
  }

  /** The number, whose owner is the caller from now on. */
  release(): number {
    const number = this.#number;
    this.#number = -1;
    return number;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Closes all of them. */
export function closeAll(fds: readonly (Fd | undefined)[]): void {
  for (const fd of fds) fd?.close();
}

/** How many descriptors this process has open: what leak tests compare. */
export function openDescriptors(): number {
  // the directory that is being read is one of them
  return readdirSync('/proc/self/fd').length - 1;
}
