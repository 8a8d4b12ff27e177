import type { RealComparison, RealResult } from '@vhostlab/lab';
import { renderTable } from './table.ts';

type Spread = NonNullable<RealResult['throughput_mpps']>;

/** `1.234 (1.1-1.3)`: median, least and most. */
function spread({ median, least, most }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${least.toFixed(digits)}-${most.toFixed(digits)})`;
}

const COLUMNS = ['back end', 'Mpps', 'p50 us', 'p99 us', 'back-end cores', 'kicks', 'calls'] as const;

/** The measured table as text: a table per workload, and beside each how much the machine was disturbed. */
export function renderReal(comparison: RealComparison): string {
  const { machine, repeat, seconds } = comparison.run;
  const workloads = [...new Set(comparison.results.map(({ workload }) => workload))];
  return workloads
    .map((workload) => {
      const results = comparison.results.filter((result) => result.workload === workload);
      const rows = results.filter((result) => result.absent === undefined).map(row);
      const table = renderTable(
        COLUMNS.map((title, at) => ({ title, align: at === 0 ? 'left' : 'right' })),
        rows,
      );
      const notes = results.flatMap(({ backend, absent }) =>
        absent === undefined ? [] : [`  ${backend}: ${absent}`],
      );
      const head = `${workload}: measured on ${machine}, ${repeat} ${repeat === 1 ? 'round' : 'rounds'} of ${seconds} s in turn, median (least-most)`;
      return [head, table.trimEnd(), ...notes, ...results.flatMap(fidelity), ''].join('\n');
    })
    .join('\n');
}

function row(result: RealResult): string[] {
  const { throughput_mpps, latency_us, backend_cores, per_packet } = result;
  return [
    result.backend,
    throughput_mpps === undefined ? '-' : spread(throughput_mpps, 3),
    latency_us === undefined ? '-' : spread(latency_us.p50, 1),
    latency_us === undefined ? '-' : spread(latency_us.p99, 1),
    backend_cores === undefined ? '-' : spread(backend_cores, 2),
    per_packet?.kicks.toFixed(3) ?? '-',
    per_packet?.calls.toFixed(3) ?? '-',
  ];
}

function fidelity({ backend, fidelity }: RealResult): string[] {
  if (fidelity === undefined) return [];
  const { steal_share, late_timers, worst_late_ms, preemptions } = fidelity;
  return [
    `  fidelity of ${backend}: ${(steal_share * 100).toFixed(1)} % steal time, ${late_timers} late timers (worst ${worst_late_ms.toFixed(1)} ms), ${preemptions} times a thread lost its CPU`,
  ];
}
