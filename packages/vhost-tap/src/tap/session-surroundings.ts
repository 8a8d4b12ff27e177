import type { Reactor } from '@vhostlab/host';
import type { Injector } from '../inject/injector.ts';
import type { Journal } from './journal.ts';

/** What every session of a tap shares. */
export interface SessionSurroundings {
  readonly reactor: Reactor;
  readonly journal: Journal;
  readonly injector: Injector;
  /** Steps into kick and call descriptors. */
  readonly notifications: boolean;
}
