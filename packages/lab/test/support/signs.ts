import { BACKENDS, type BackendName } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import {
  buildScenario,
  type CompareOptionsInput,
  parseCompareOptions,
  type Result,
} from '../../src/index.ts';
import { runRows } from './run.ts';
import { CHANGES, FIGURES, type Figure, type RunName } from './sign-table.ts';

/** What moves less than this is taken as unmoved. */
const TOLERANCE = 0.005;

/** How much of the sign table is run: packets per run, and the back ends that a change is tried on. */
export interface SignSample {
  packets: Readonly<Record<RunName, number>>;
  longPackets: number;
  backendsOf(change: number): readonly BackendName[];
}

/**
 * The runs that figures are taken from. Throughput at a rate that no back end carries. Host cores at a rate that all
 * carry with each packet alone, because fuller bursts would hide what one packet costs. All else per transaction.
 */
const RUNS = {
  saturated: { workloads: ['pvp'] },
  spaced: { workloads: ['pvp'], rate: '50kpps' },
  transactions: { workloads: ['rr'] },
} satisfies Record<RunName, CompareOptionsInput>;

const results = new Map<string, Promise<Result>>();

/** The row of one back end; runs with equal scenarios are the same run. */
function rowOf(
  backend: BackendName,
  run: RunName,
  packets: number,
  options: CompareOptionsInput,
): Promise<Result> {
  const input: CompareOptionsInput = { ...RUNS[run], ...options, packets, backends: [backend] };
  const key = JSON.stringify(
    buildScenario(backend, RUNS[run].workloads[0], parseCompareOptions(input), undefined),
  );
  let row = results.get(key);
  if (row === undefined) {
    row = runRows(input).then(([only]) => only);
    results.set(key, row);
  }
  return row;
}

/** '+', '-' or '0'. */
function signOf(from: number, to: number): string {
  if (Math.abs(to - from) <= TOLERANCE * Math.abs(from)) return '0';
  return to > from ? '+' : '-';
}

/** Compares every figure of every change with the table, and says which back end moved how where they differ. */
export function describeSigns({ packets, longPackets, backendsOf }: SignSample): void {
  describe.each(CHANGES.map((change, index) => ({ change, name: change.name, backends: backendsOf(index) })))(
    '$name',
    ({ change, backends }) => {
      it.each(Object.keys(FIGURES) as Figure[])('%s', async (figure) => {
        const { run, of } = FIGURES[figure];
        const [signs, why] = change.moves[figure] ?? ['0 0 0 0', 'nothing of it depends on this option'];
        const all = signs.split(' ');
        const count = change.long === run ? longPackets : packets[run];
        const found: string[] = [];
        const moved: string[] = [];
        for (const backend of backends) {
          const from = of(await rowOf(backend, run, count, change.from));
          const to = of(await rowOf(backend, run, count, change.to));
          found.push(signOf(from, to));
          moved.push(`${backend} ${from} to ${to}`);
        }
        const expected = backends.map((backend) => all[BACKENDS.indexOf(backend)]);
        expect(found, `${why} (${moved.join(', ')})`).toEqual(expected);
      });
    },
  );
}
