import type { BackendName, Offloads } from '../backends.ts';

/** Moves a guest's device to another back end while the guest runs. */
export interface SwapEvent {
  kind: 'swap';
  /** From the start of traffic. */
  atPs: number;
  guest: number;
  to: BackendName;
  /** What that back end offers to the guest. */
  offloads: Offloads;
}
