import { ContractError, withSpan } from '@vhostlab/contracts';
import { type CostProfile, compileCostProfile } from '@vhostlab/cost-profile';
import type { WorkloadName } from '@vhostlab/workload';
import { type Lab, runScenario, type ScenarioInput, type ScenarioOutcome } from '../run/run-scenario.ts';
import { buildScenario, type Capture, packetsOf } from '../scenario/build.ts';
import { type CompareOptions, notApplicable, UsageError } from '../scenario/options.ts';
import { type Plugins, rowsOf } from '../scenario/rows.ts';
import type { Tracing } from '../services/serve.ts';
import { type Measured, measuredOf } from './measured.ts';
import { type Result, resultOf } from './result.ts';
import type { RunFolder } from './run-folder.ts';

/** What `compare` found: the object of `--json`, and what goes beside it. */
export interface Comparison {
  run: {
    id: string;
    clock: 'virtual';
    profile: string;
    seed: number;
    placement: CompareOptions['placement'];
    packets: Record<string, number>;
  };
  results: Result[];
  event_log_sha256: string;
  /** Where the time of runs over several processes went. */
  measured?: Measured;
}

/** What a comparison runs on. */
export interface CompareEnvironment {
  lab: Lab;
  tracing: Tracing;
  profile: CostProfile;
  capture?: Capture;
  folder: RunFolder;
  /** Plugins among the back ends, by where they are. */
  plugins?: Plugins;
  signal?: AbortSignal;
  /** Of the lab file; undefined as in the cost profile. */
  wireLatencyNs?: number;
  onJoined?: ScenarioInput['onJoined'];
  /** A scenario has ended well. */
  onResult?(result: Result): void;
  /** A scenario begins. */
  onScenario?(workload: WorkloadName, backend: string, packets: number): void;
}

/** Runs every workload on every back end, one after the other, and writes the event log. */
export async function compare(options: CompareOptions, environment: CompareEnvironment): Promise<Comparison> {
  const { lab, tracing, profile, capture, folder, signal } = environment;
  const compiled = compileCostProfile(profile);
  const profileJson = JSON.stringify(profile);
  const outcomes: ScenarioOutcome[] = [];
  const results: Result[] = [];
  const packets: Record<string, number> = {};
  try {
    await withSpan(tracing.providerFor('lab'), 'compare', { 'vhostlab.run.id': folder.id }, async () => {
      for (const workload of options.workloads) {
        packets[workload] = packetsOf(workload, options, capture);
        for (const row of rowsOf(options, environment.plugins)) {
          environment.onScenario?.(workload, row.name, packets[workload]);
          const name = `${workload}/${row.name}`;
          const config = buildScenario(row, workload, options, capture);
          const stride =
            options.samples === 0 ? 0 : Math.max(1, Math.ceil(packets[workload] / options.samples));
          const outcome = await withSpan(tracing.providerFor('lab'), `scenario ${name}`, {}, () =>
            runScenario(lab, {
              name,
              config,
              profileJson,
              profile: compiled,
              samplingStride: stride,
              ...(environment.wireLatencyNs === undefined
                ? {}
                : { wireLatencyNs: environment.wireLatencyNs }),
              ...(environment.onJoined === undefined ? {} : { onJoined: environment.onJoined }),
              ...(signal === undefined ? {} : { signal }),
            }),
          );
          outcomes.push(outcome);
          const result = resultOf(outcome, notApplicable(row, options), row);
          results.push(result);
          environment.onResult?.(result);
        }
      }
    });
    const sha256 = folder.writeLog(outcomes.map(({ name, parts }) => ({ name, parts })));
    return {
      run: {
        id: folder.id,
        clock: 'virtual',
        profile: profile.name,
        seed: options.seed,
        placement: options.placement,
        packets,
      },
      results,
      event_log_sha256: sha256,
      ...measuredOf(outcomes),
    };
  } catch (error) {
    // a service refused its configuration: the message names the field
    if (error instanceof ContractError && error.code === 'INVALID_ARGUMENT')
      throw new UsageError(error.message);
    throw error;
  } finally {
    for (const outcome of outcomes) outcome.close();
  }
}
