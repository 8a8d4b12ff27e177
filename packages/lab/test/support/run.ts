import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileCostProfile, parseCostProfile } from '@vhostlab/cost-profile';
import {
  buildScenario,
  type Capture,
  type CompareOptionsInput,
  notApplicable,
  type OpenLab,
  openEmbeddedLab,
  openProcessLab,
  type Plugins,
  type Progress,
  parseCompareOptions,
  type Result,
  resultOf,
  rowsOf,
  runScenario,
  type ScenarioOutcome,
  type ServiceCommand,
  type Tracing,
} from '../../src/index.ts';

const PROFILE = new URL('../profiles/reference.yaml', import.meta.resolve('@vhostlab/cost-profile'));

export const profile = parseCostProfile(readFileSync(PROFILE, 'utf8'), 'reference.yaml');
export const compiled = compileCostProfile(profile);
const profileJson = JSON.stringify(profile);

/** No spans: tests look at figures. */
export const noTracing: Tracing = {
  providerFor: () => undefined,
  takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
};

const BIN = fileURLToPath(new URL('../../../cli/bin/vhostlab.mjs', import.meta.url));

/** Starts a service as `vhostlab serve` does. */
export const serveCommand: ServiceCommand = (role, address) => ({
  file: process.execPath,
  args: [BIN, 'serve', role, '--listen', address, '--exit-with-stdin'],
});

/** Four service processes; whoever opens them closes them. */
export function openProcesses(onProgress?: (progress: Progress) => void): Promise<OpenLab> {
  return openProcessLab(noTracing, serveCommand, onProgress === undefined ? {} : { onProgress });
}

type Scenario = ReturnType<typeof buildScenario>;

/**
 * Runs every workload on every back end of the options, on `lab` or else embedded; `use` sees each outcome before it
 * is closed.
 */
export async function runRows(
  input: CompareOptionsInput,
  extra: {
    capture?: Capture;
    plugins?: Plugins;
    copyMode?: boolean;
    lab?: OpenLab;
    signal?: AbortSignal;
    change?: (config: Scenario) => Scenario;
    use?: (outcome: ScenarioOutcome, result: Result) => void;
  } = {},
): Promise<Result[]> {
  const options = parseCompareOptions({ samples: 0, ...input });
  const lab = extra.lab ?? openEmbeddedLab(noTracing, undefined, extra.plugins);
  const results: Result[] = [];
  try {
    for (const workload of options.workloads) {
      for (const row of rowsOf(options, extra.plugins)) {
        const built = buildScenario(row, workload, options, extra.capture);
        const packets = built.traffic.packets ?? 1;
        const outcome = await runScenario(lab, {
          name: `${workload}/${row.name}`,
          config: extra.change?.(built) ?? built,
          profile: compiled,
          profileJson,
          samplingStride: options.samples === 0 ? 0 : Math.max(1, Math.ceil(packets / options.samples)),
          copyMode: extra.copyMode ?? false,
          ...(extra.signal === undefined ? {} : { signal: extra.signal }),
        });
        try {
          const result = resultOf(outcome, notApplicable(row, options), row);
          extra.use?.(outcome, result);
          results.push(result);
        } finally {
          outcome.close();
        }
      }
    }
  } finally {
    if (extra.lab === undefined) await lab.close();
  }
  return results;
}
