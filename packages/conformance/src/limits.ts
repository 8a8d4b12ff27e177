/** How long things may take before they count as not happening. In milliseconds. */
export interface Limits {
  /** An answer to a message, or the end of the connection. */
  readonly replyMs: number;
  /** Something in a ring: a buffer used, an error told. */
  readonly ringMs: number;
  /** Serving again after a check: a new connection, a process that comes back. */
  readonly recoverMs: number;
  /** Closing what a connection had, after its end. */
  readonly closeMs: number;
  /** Time to do what must not happen. */
  readonly pauseMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  replyMs: 2000,
  ringMs: 2000,
  recoverMs: 10_000,
  closeMs: 1000,
  pauseMs: 50,
};
