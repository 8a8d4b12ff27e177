import type { ReportData } from '../report-data.ts';

/** A node of a lab. */
export interface LabPageNode {
  name: string;
  kind: string;
  /** Where it runs, for people: `process 1234`, `endpoint 192.0.2.7:7004`. */
  place: string;
  /** Nodes of the same group stand in one box with this title; undefined: it stands alone. */
  group?: string;
  /** As `lab inspect` says it; undefined for a lab that is not up. */
  state?: string;
}

/** Two joined ends, `NODE:PORT` each. */
export interface LabPageLink {
  ends: readonly [string, string];
  /** Lines below its name: latency, what crossed it, who waited. */
  notes: readonly string[];
}

/** One workload over one back end. */
export interface LabPageRun {
  name: string;
  state: string;
  packets: number;
  delivered: number;
  dropped?: number;
  throughput_mpps?: number;
  p50_us?: number;
}

/** Everything that the page of a lab shows. */
export interface LabPageData {
  name: string;
  /** `virtual` or `real`. */
  clock: string;
  /** As `lab inspect` says it; undefined for a lab file. */
  phase?: string;
  error?: string;
  file: string;
  nodes: readonly LabPageNode[];
  links: readonly LabPageLink[];
  runs: readonly LabPageRun[];
  measured?: NonNullable<ReportData['measured']>;
}
