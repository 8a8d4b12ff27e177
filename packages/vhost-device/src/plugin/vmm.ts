import type { RingAreas } from '@vhostlab/vhost-user';
import type { RegionPlace } from '../control/commands.ts';

/** What a ring starts with. Areas are offsets in the arena, the base is that of VHOST_USER_GET_VRING_BASE. */
export interface RingRun {
  readonly index: number;
  readonly size: number;
  readonly areas: RingAreas;
  readonly base: number;
  readonly enabled: boolean;
  /** There is a kick eventfd, a call eventfd. */
  readonly kick: boolean;
  readonly call: boolean;
}

/** What one ring has done since the thread began, and how it is. */
export interface RingReport {
  readonly running: boolean;
  readonly base: number;
  /** Why it is broken; empty: it is not. */
  readonly violation: string;
  readonly frames: number;
  readonly bytes: number;
  readonly calls: number;
  readonly callsSuppressed: number;
}

/** Where the dirty log is in the arena. */
export interface LogPlace {
  readonly arenaOffset: number;
  readonly bytes: number;
}

/**
 * The part of a VMM that a front end's device plays towards the cores of a back end: what a session has decided, in the
 * requests that the back end knows from virtual time. Every call has taken effect when it returns.
 */
export interface Vmm {
  /** Feature bits that were acknowledged; rings do not run. */
  negotiate(features: bigint): void;
  /** The memory table. Rings that lie elsewhere in it have been stopped before. */
  setRegions(regions: readonly RegionPlace[]): void;
  /** Starts a ring; null, or one sentence on why it cannot run. */
  run(ring: RingRun): string | null;
  /** Stops a ring; where it stands. */
  stop(index: number): number;
  /** Enables or disables a ring, running or not. */
  enable(index: number, on: boolean): void;
  /** Where writes to guest memory are logged; null: nowhere. */
  log(place: LogPlace | null): void;
  /** At which guest-physical address the used area of a running ring is logged; null: it is not. */
  logUsed(index: number, gpa: number | null): void;
  report(index: number): RingReport;
  /** A kick of a ring. */
  kick(index: number): void;
}
