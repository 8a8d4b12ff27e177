import type { CopyRound } from './pre-copy.ts';

/** Parts of a migration, in their order. `shadow` takes the place of `copy` where a shadow virtqueue is needed. */
export type MigrationPhaseName = 'setup' | 'copy' | 'shadow' | 'stop' | 'resumed';

export interface MigrationPhase {
  name: MigrationPhaseName;
  fromPs: number;
  toPs: number;
}

/** How a guest got to another host, or why it did not. Moments in picoseconds from the start of the run. */
export interface MigrationReport {
  /** Place in the scenario's events. */
  number: number;
  guest: number;
  to: string;
  state: 'complete' | 'refused' | 'unfinished';
  /** Why it was refused, or what keeps its result from being trusted; empty when nothing does. */
  reason: string;
  phases: MigrationPhase[];
  rounds: CopyRound[];
  /** Pages of the guest's memory. */
  memoryPages: number;
  /** Pages that were not the same on both hosts when the guest went on: the guest reads stale bytes there. */
  stalePages: number;
  /** Guest addresses of the first of them. */
  staleAt: number[];
  /** The vCPUs stood still. */
  pausedPs: number;
  /** They went on. */
  resumedPs: number;
}

/** A migration that has not begun. */
export function newReport(number: number, guest: number, to: string): MigrationReport {
  return {
    number,
    guest,
    to,
    state: 'unfinished',
    reason: '',
    phases: [],
    rounds: [],
    memoryPages: 0,
    stalePages: 0,
    staleAt: [],
    pausedPs: 0,
    resumedPs: 0,
  };
}
