import type { Procedure } from '@vhostlab/engine';

/** How a migration began at its source. */
export interface Begun {
  /** Why it cannot. */
  refused?: string;
  /** The VMM relays every buffer meanwhile. */
  isShadow?: boolean;
  /** What of the result is not to be trusted. */
  doubt?: string;
}

/** How a VMM learns what the device writes while memory is copied, and how it stops the device: one per kind of back end. */
export interface MigrationSource {
  begin(): Procedure<Begun>;
  /** Pages that the device wrote since the last call, as the bytes of a dirty log. */
  take(): Procedure<Uint8Array>;
  /** The port is paused: waits until what came in is with the guest. */
  settle(): Procedure;
  /** The guest stands still: stops the rings and answers where they stand; undefined when the device does not say. */
  stop(): Procedure<number[] | undefined>;
  /** Nothing is to be learnt any more. */
  end(): Procedure;
}
