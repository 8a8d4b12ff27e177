import type { ProtocolFeatureName } from '@vhostlab/vhost-user';
import type { BackEndBench } from './bench/back-end-bench.ts';
import type { FrontEndBench } from './bench/front-end-bench.ts';
import type { Outcome } from './report/verdict.ts';

/** What a check needs besides a connection. */
export type Need =
  /** The peer uses transmit buffers: a network back end with its rings. */
  | 'traffic'
  /** It gives frames back to the guest. */
  | 'echo'
  /** Packed rings. */
  | 'packed'
  /** Split rings: a front end may insist on packed ones. */
  | 'split'
  | 'indirect'
  | 'event-idx'
  /** A second queue pair. */
  | 'two-pairs'
  /** Its process can be looked into through /proc. */
  | 'process';

/** What a check is, without what it does. */
export interface CheckInfo {
  /** Stable: `mem.nregions-9`. */
  readonly id: string;
  readonly title: string;
  /** Which of the bad inputs it is, 1 to 36; 0: a good one. */
  readonly item: number;
  readonly clause: string;
  /** `specification`: the clause says so; `robustness`: a peer that does otherwise is harmed, or harms its user. */
  readonly basis: 'specification' | 'robustness';
  /** What is required, of whom, in one sentence. */
  readonly requirement: string;
  readonly role: 'back end' | 'front end';
  /** Closing the connection is as good as what is required. */
  readonly mayClose: boolean;
  /** Protocol features that must be offered. */
  readonly protocol: readonly ProtocolFeatureName[];
  /** Virtio feature bits that must be offered. */
  readonly features: bigint;
  readonly needs: readonly Need[];
}

/** One check of a back end. */
export interface BackEndCheck extends CheckInfo {
  readonly role: 'back end';
  run(bench: BackEndBench): Promise<Outcome>;
}

/** One check of a front end. */
export interface FrontEndCheck extends CheckInfo {
  readonly role: 'front end';
  run(bench: FrontEndBench): Promise<Outcome>;
}
