import { readFileSync, statSync } from 'node:fs';
import type { CompareOptions, Comparison, RunFolder, Tracing } from '@vhostlab/lab';
import { notesOf } from '@vhostlab/lab';
import { mergeOtlpJson } from '@vhostlab/telemetry';
import { packetJourneys, readLog, representativeJourney } from '@vhostlab/trace';
import { type ReportData, renderReport } from '@vhostlab/web';
import { VERSION } from './version.ts';

/** Larger logs are not read back for the timelines of single packets. */
const MAX_LOG_BYTES = 256 * 1024 * 1024;

/** Spans of this process and of the services, `others`, as one OTLP JSON document. */
export function joinSpans(tracing: Tracing, others: readonly Uint8Array[]): Uint8Array {
  const parts = [...others, tracing.takeSpans().otlpJson];
  return mergeOtlpJson(parts.filter((part) => part.length > 0));
}

/** The page of a comparison. */
export function reportOf(
  comparison: Comparison,
  finding: string,
  options: CompareOptions,
  commandLine: readonly string[],
  profileDescription: string,
  folder: RunFolder,
): string {
  const { run, results } = comparison;
  const data: ReportData = {
    run: {
      id: run.id,
      clock: run.clock,
      profile: run.profile,
      profile_description: profileDescription,
      seed: run.seed,
      placement: run.placement,
      command_line: `vhostlab ${commandLine.join(' ')}`,
      versions: { vhostlab: VERSION, node: process.version },
      options: Object.fromEntries(Object.entries(options).map(([name, value]) => [name, optionText(value)])),
      event_log_sha256: comparison.event_log_sha256,
    },
    finding,
    results: results.map(({ not_applicable, ...result }) => ({
      ...result,
      not_applicable: not_applicable.map(({ option, reason }) => `${option}: ${reason}`),
    })),
    stages: results.flatMap(({ workload, backend, stages }) =>
      stages.map((stage) => ({ workload, backend, ...stage })),
    ),
    journeys: journeysOf(folder),
    notes: notesOf(results, options),
    ...(comparison.measured === undefined ? {} : { measured: comparison.measured }),
  };
  return renderReport(data);
}

/** An option's value as one reads it; what has parts (an event, a plugin) as JSON, as a lab file would take it. */
export function optionText(value: unknown): string {
  if (Array.isArray(value)) return value.map(optionText).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function journeysOf(folder: RunFolder): ReportData['journeys'] {
  const file = folder.file('events.vlog');
  if (statSync(file).size > MAX_LOG_BYTES) return [];
  return readLog(readFileSync(file)).sections.flatMap((section) => {
    const journey = representativeJourney(packetJourneys(section));
    if (journey === undefined) return [];
    const [workload, backend] = section.name.split('/');
    const steps = journey.steps.map(({ stage, core, startPs, endPs }) => ({
      stage,
      core,
      start_ns: startPs / 1000,
      end_ns: endPs / 1000,
    }));
    return [{ workload, backend, packet: journey.packet, steps }];
  });
}
