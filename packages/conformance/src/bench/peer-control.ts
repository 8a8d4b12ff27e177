/** A peer's process, where this side starts it. */
export interface PeerControl {
  /** Starts it anew, ending the one before. Rejects when it cannot be started. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** How it ended, in words; null while it runs. */
  readonly ended: string | null;
  /** It ended by a signal, not by itself. */
  readonly crashed: boolean;
  /** Process that is looked into; null: the one at the other end of the socket. */
  readonly pid: number | null;
}
