import { availableParallelism, cpus } from 'node:os';
import type { RunMeasurement } from '../run/run-meter.ts';
import type { ScenarioOutcome } from '../run/run-scenario.ts';

/** Where the wall-clock time of runs over several processes went: measured, while the rows of results are modelled. */
export interface Measured {
  /** The machine of the lab; services at other addresses have their own. */
  machine: string;
  runs: RunMeasurement[];
}

/** What was measured while these scenarios ran; nothing when all of them had one process. */
export function measuredOf(outcomes: readonly ScenarioOutcome[]): { measured?: Measured } {
  const runs = outcomes.flatMap(({ measured }) => (measured === undefined ? [] : [measured]));
  return runs.length === 0 ? {} : { measured: { machine: machineName(), runs } };
}

function machineName(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `${model}, ${availableParallelism()} CPUs, Node ${process.version}`;
}
