import type { RingFault } from './faulty-publisher.ts';

/** What is wrong with a mutant, or different. */
export interface MutantOptions {
  /** `num-buffers`: in the header of every fourth frame. Absent: it is the correct one. */
  readonly fault?: RingFault | 'num-buffers';
  readonly queuePairs?: number;
  readonly inOrder?: boolean;
  /** It starts rings and does nothing with them. */
  readonly isAsleep?: boolean;
  /** Gets every frame that the guest has sent. */
  readonly onFrame?: (frame: Uint8Array) => void;
}
