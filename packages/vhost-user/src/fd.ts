/**
 * A file descriptor with one owner, as `Fd` of packages/host: whoever holds the object closes it, handing it on means
 * giving the object away.
 */
export interface Fd {
  /** The number of this process; -1 once closed. */
  readonly number: number;
  /** Closes it; a second call does nothing. */
  close(): void;
  /** A second descriptor of the same file, with an owner of its own. */
  dup(): Fd;
}
