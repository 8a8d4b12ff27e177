import type { EventOutcome } from '../compare/event-outcomes.ts';
import type { Measured } from '../compare/measured.ts';
import type { Migration } from '../compare/migration-outcome.ts';
import type { Result } from '../compare/result.ts';
import type { Swaps } from '../compare/swap-outcome.ts';
import type { LabFileEvent } from '../lab-file/events/lab-event.ts';
import type { LabDescription } from '../lab-file/read.ts';
import type { RealKind } from '../lab-file/real-schema.ts';
import type { NodeKind } from '../lab-file/topology-schema.ts';
import type { Part, STATION } from '../services/parts.ts';

/** What a lab shall be: a lab file, read. */
export interface WantedLab {
  /** Absolute path of the file. */
  file: string;
  /** Its text, and the variables that were given. */
  text: string;
  vars: Record<string, string>;
  description: LabDescription;
}

/** Where a lab stands. `failed` and `ended` are the end. */
export type LabPhase = 'starting' | 'running' | 'complete' | 'failed' | 'ended';

/** Where a service stands: `ready` when it has met all its neighbours. */
export type ServiceState =
  | 'starting'
  | 'listening'
  | 'greeted'
  | 'ready'
  | 'stalled'
  | 'lost'
  | 'ended'
  | 'spare';

/** A node of a lab that is up. */
export interface NodeState {
  name: string;
  kind: NodeKind | RealKind | typeof STATION;
  /** The service that it lives in; on the real clock, where a node is a program, its kind. */
  service: Part | RealKind;
  placement: string;
  address: string;
  pid?: number;
  container?: string;
  state: ServiceState;
  /** Processes that it has met. */
  neighbours: string[];
  /** Socket where a guest of the real clock takes commands. */
  console?: string;
  /** Variables by which programs beside a node of the real clock find it. */
  environment?: Readonly<Record<string, string>>;
}

/** One workload over one back end. */
export interface RunState {
  name: string;
  state: 'waiting' | 'running' | 'complete' | 'failed';
  packets: number;
  delivered: number;
  dropped?: number;
  frames_sha256?: string;
  throughput_mpps?: number;
  p50_us?: number;
  /** On the real clock: the line of the output that tells how it went. */
  result?: string;
  /** What became of the events of the lab. */
  events?: EventOutcome[];
  /** How the guest got to another host. */
  migration?: Migration;
  /** How the guest got to other back ends. */
  swaps?: Swaps;
}

/** What `inspect -f json` prints. */
export interface LabState {
  schema: 1;
  name: string;
  /** Undefined: virtual. */
  clock?: 'real';
  file: string;
  folder: string;
  phase: LabPhase;
  /** All services have met their neighbours. */
  ready: boolean;
  supervisor: number;
  /** Where commands of other processes reach the supervisor. */
  control: string;
  started_at: string;
  /** Milliseconds from the start of the supervisor to readiness. */
  ready_after_ms?: number;
  nodes: NodeState[];
  links: (readonly [string, string])[];
  /** Latency of the wire, one way; absent: that of the cost profile. */
  wire_latency_ns?: number;
  /** What happens to the runs: of the file, and of commands since; absent when nothing does. */
  run_events?: LabFileEvent[];
  runs: RunState[];
  /** Folder of the last run. */
  run_folder?: string;
  event_log_sha256?: string;
  /** Where the time of the runs went; absent when all services share a process. */
  measured?: Measured;
  error?: string;
}

/** Something that happened to a lab. */
export interface LabEvent {
  number: number;
  at: string;
  kind: 'lab' | 'service' | 'node' | 'run' | 'action';
  /** Lab, service, node of the real clock, or run. */
  name: string;
  what: string;
  detail?: string;
}

/** The part of a comparison's row that the state shows. */
export function finished(run: RunState, result: Result): RunState {
  return {
    ...run,
    state: 'complete',
    delivered: result.frames.delivered,
    dropped: result.frames.dropped,
    frames_sha256: result.frames_sha256,
    throughput_mpps: result.throughput_mpps,
    p50_us: result.latency_us.p50,
    ...(result.events === undefined ? {} : { events: result.events }),
    ...(result.migration === undefined ? {} : { migration: result.migration }),
    ...(result.swaps === undefined ? {} : { swaps: result.swaps }),
  };
}
