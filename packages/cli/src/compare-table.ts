import type { Comparison, Result } from '@vhostlab/lab';
import { hostCoresPerMpps, lateEventNotes, swapNotes } from '@vhostlab/lab';
import { renderMeasured } from './measured-table.ts';
import { type Column, renderTable } from './table.ts';

const right = (title: string): Column => ({ title, align: 'right' });

const COLUMNS: readonly Column[] = [
  { title: 'back end' },
  right('Mpps'),
  right('Gbit/s'),
  right('p50 us'),
  right('p99 us'),
  right('host cores'),
  right('per Mpps'),
  right('guest cores'),
  right('kicks'),
  right('calls'),
  right('exits'),
  right('copies'),
  right('dropped'),
  { title: 'held by' },
];

/** Stands in the table only when an option means nothing to one of its rows. */
const OPTIONS_COLUMN: Column = { title: 'options' };

/** The table and the finding of a comparison, for people. */
export function renderComparison(comparison: Comparison, finding: string, folder: string): string {
  const { results, run } = comparison;
  const parts: string[] = [];
  for (const workload of [...new Set(results.map((result) => result.workload))]) {
    const rows = results.filter((result) => result.workload === workload);
    const packets = run.packets[workload].toLocaleString('en-US');
    parts.push(
      `${workload}: ${packets} packets, modelled with the cost profile "${run.profile}", seed ${run.seed}`,
    );
    const lacking = rows.some(({ not_applicable }) => not_applicable.length > 0);
    const columns = lacking ? [...COLUMNS, OPTIONS_COLUMN] : COLUMNS;
    const cells = rows.map((result) => row(result).slice(0, columns.length));
    parts.push(renderTable(columns, cells).trimEnd());
    for (const { backend, drops, not_applicable, swaps, events } of rows) {
      const reasons = Object.entries(drops).map(([reason, count]) => `${count} ${reason}`);
      if (reasons.length > 0) parts.push(`  ${backend} dropped: ${reasons.join(', ')}`);
      for (const { option, reason } of not_applicable) parts.push(`  ${backend} ${option}: ${reason}`);
      for (const note of [...swapNotes(swaps), ...lateEventNotes(events)])
        parts.push(`  ${backend}: ${note}`);
    }
    parts.push('');
  }
  if (comparison.measured !== undefined) parts.push(renderMeasured(comparison.measured));
  parts.push(finding, '', `Run folder: ${folder} (report.html, summary.json, events.vlog, otlp.json)`, '');
  return parts.join('\n');
}

function row(result: Result): string[] {
  const { per_packet: each, latency_us: latency } = result;
  return [
    result.backend,
    result.throughput_mpps.toFixed(3),
    result.throughput_gbps.toFixed(2),
    latency.p50.toFixed(1),
    latency.p99.toFixed(1),
    result.host_cores.toFixed(2),
    hostCoresPerMpps(result).toFixed(2),
    result.guest_cores.toFixed(2),
    each.kicks.toFixed(2),
    each.calls.toFixed(2),
    each.exits.toFixed(2),
    each.copies.toFixed(2),
    String(result.frames.dropped),
    `${result.bottleneck.core} ${result.bottleneck.stage}`,
    result.not_applicable.map(({ option }) => `${option} not applicable`).join(', '),
  ];
}
