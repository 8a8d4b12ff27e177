import type { Security } from '@vhostlab/contracts';

/** Bytes of each ring between a guest's thread and the link's. */
export const LINK_RING_BYTES = 4 * 1024 * 1024;

/** What a link's thread is started with. */
export interface LinkThreadData {
  /** Connects to an address, or listens at one. */
  readonly how: 'dial' | 'listen';
  readonly address: string;
  readonly security: Security;
  /** Number of this end among all that there ever are. */
  readonly instance: bigint;
  readonly pairs: readonly LinkPairShared[];
  readonly statistics: SharedArrayBuffer;
}

/** What both threads have of a queue pair. */
export interface LinkPairShared {
  readonly out: SharedArrayBuffer;
  readonly in: SharedArrayBuffer;
  /** Eventfd by which a guest's thread that sleeps is woken; belongs to the process. */
  readonly wakeNumber: number;
}

/** What a link's thread tells: it listens (or dials) at an address, cannot, or something happened. */
export type LinkNote =
  | { readonly note: 'ready'; readonly address: string }
  | { readonly note: 'failed'; readonly reason: string }
  | { readonly note: 'line'; readonly text: string };
