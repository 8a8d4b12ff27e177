/** Percentiles of one latency distribution, microseconds. */
export interface LatencyFigures {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** What one packet costs on average. */
export interface PerPacketFigures {
  kicks: number;
  calls: number;
  exits: number;
  copies: number;
  copied_bytes: number;
  dma_bytes: number;
}

/** How a guest got to another host; the keys are those of `vhostlab compare --json`. */
export interface ReportMigration {
  guest: string;
  to: string;
  state: string;
  reason: string;
  verification: string;
  memory_pages: number;
  copied_pages: number;
  downtime_us: number;
  frames: { lost: number; duplicated: number; reordered: number };
  rounds: readonly {
    kind: string;
    pages: number;
    from_vcpus: number;
    from_backend: number;
    from_us: number;
    to_us: number;
  }[];
  phases: readonly { phase: string; from_us: number; to_us: number; exits: number; host_cores: number }[];
  /** By spans from the start of traffic. */
  timeline: { span_us: number; host_cores: readonly number[]; exits: readonly number[] };
}

/** One workload on one back end; the keys are those of `vhostlab compare --json`. */
export interface ReportResult {
  workload: string;
  backend: string;
  throughput_mpps: number;
  throughput_gbps: number;
  latency_us: LatencyFigures;
  host_cores: number;
  guest_cores: number;
  per_packet: PerPacketFigures;
  frames: { offered: number; delivered: number; dropped: number };
  /** Dropped frames by reason. */
  drops: Readonly<Record<string, number>>;
  bottleneck: { core: string; stage: string };
  /** Options that this back end does not have, one sentence each. */
  not_applicable?: readonly string[];
  migration?: ReportMigration | undefined;
}

/** Time of one stage, averaged over all packets. */
export interface ReportStage {
  workload: string;
  backend: string;
  stage: string;
  account: 'guest' | 'host' | 'hardware';
  ns_per_packet: number;
}

/** One step of a packet; nanoseconds on any common zero. */
export interface ReportStep {
  stage: string;
  core: string;
  start_ns: number;
  end_ns: number;
}

/** One sampled packet, steps in the order of time. */
export interface ReportJourney {
  workload: string;
  backend: string;
  packet: number;
  steps: readonly ReportStep[];
}

/** How the run was made. */
export interface ReportRun {
  id: string;
  /** `virtual`: modelled; `real`: measured. */
  clock: string;
  profile: string;
  profile_description?: string;
  seed: number;
  placement: string;
  command_line: string;
  /** Component to version: vhostlab, node, … */
  versions: Readonly<Record<string, string>>;
  /** Options as they were used, name to value. */
  options?: Readonly<Record<string, string>>;
  event_log_sha256?: string;
}

/** Time of one process of a run, milliseconds of the wall clock; the four parts add up to the run. */
export interface ReportProcess {
  process: string;
  work_ms: number;
  blocked_ms: number;
  waiting_ms: number;
  messages_ms: number;
}

/** Where the time of one run over several processes went; the keys are those of `vhostlab compare --json`. */
export interface ReportMeasurement {
  /** `workload/backend`. */
  run: string;
  wall_ms: number;
  rounds: number;
  windows: number;
  null_message_ratio: number;
  processes: readonly ReportProcess[];
  waits: readonly { process: string; on: string; ms: number }[];
  channels: readonly {
    channel: string;
    between: readonly [string, string];
    latency_ns: number;
    batches: number;
    messages: number;
    payload_bytes: number;
    blocked_ms: Readonly<Record<string, number>>;
  }[];
  coupling: { lambda: number; advice: string };
}

/** Everything that the page shows. */
export interface ReportData {
  run: ReportRun;
  /** The headline: one paragraph. */
  finding: string;
  results: readonly ReportResult[];
  stages: readonly ReportStage[];
  journeys: readonly ReportJourney[];
  /** Why each figure moved, one sentence or paragraph each. */
  notes: readonly string[];
  /** Measured on the machine named; absent when all services shared a process. */
  measured?: { machine: string; runs: readonly ReportMeasurement[] };
}
