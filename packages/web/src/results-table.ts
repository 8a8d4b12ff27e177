import { count, figure } from './format.ts';
import { type Html, html } from './html.ts';
import { backendColor } from './palette.ts';
import type { ReportResult } from './report-data.ts';
import { swatch } from './swatch.ts';

interface Column {
  group: string;
  title: string;
  unit: string;
  /** Label in the narrow layout, where group and unit are not seen. */
  label: string;
  text(result: ReportResult): Html | string;
  /** Number to compare; the best one of a column is printed bold. */
  value?(result: ReportResult): number;
  best?: 'high' | 'low';
  kind?: 'text';
}

const numeric = (
  group: string,
  title: string,
  unit: string,
  label: string,
  value: (result: ReportResult) => number,
  best?: 'high' | 'low',
): Column => ({
  group,
  title,
  unit,
  label,
  value,
  text: (result) => figure(value(result)),
  ...(best === undefined ? {} : { best }),
});

/** Time of host cores per packet: cores busy over packets per second. */
function hostNsPerPacket(result: ReportResult): number {
  return result.throughput_mpps > 0 ? (result.host_cores * 1000) / result.throughput_mpps : 0;
}

const COLUMNS: readonly Column[] = [
  numeric('Throughput', 'rate', 'Mpps', 'Mpps', (r) => r.throughput_mpps, 'high'),
  numeric('Throughput', 'bits', 'Gbps', 'Gbps', (r) => r.throughput_gbps, 'high'),
  numeric('Latency', 'p50', 'µs', 'p50, µs', (r) => r.latency_us.p50, 'low'),
  numeric('Latency', 'p90', 'µs', 'p90, µs', (r) => r.latency_us.p90, 'low'),
  numeric('Latency', 'p99', 'µs', 'p99, µs', (r) => r.latency_us.p99, 'low'),
  numeric('Latency', 'max', 'µs', 'max, µs', (r) => r.latency_us.max, 'low'),
  numeric('CPU', 'host', 'cores', 'host cores', (r) => r.host_cores, 'low'),
  numeric('CPU', 'guest', 'cores', 'guest cores', (r) => r.guest_cores, 'low'),
  numeric('CPU', 'host', 'ns/packet', 'host ns/packet', hostNsPerPacket, 'low'),
  numeric('Per packet', 'kicks', '', 'kicks/packet', (r) => r.per_packet.kicks),
  numeric('Per packet', 'calls', '', 'calls/packet', (r) => r.per_packet.calls),
  numeric('Per packet', 'exits', '', 'exits/packet', (r) => r.per_packet.exits),
  numeric('Per packet', 'copies', '', 'copies/packet', (r) => r.per_packet.copies),
  numeric('Per packet', 'copied', 'bytes', 'copied B/packet', (r) => r.per_packet.copied_bytes),
  numeric('Per packet', 'DMA', 'bytes', 'DMA B/packet', (r) => r.per_packet.dma_bytes),
  {
    group: 'Frames',
    title: 'delivered',
    unit: 'of offered',
    label: 'delivered of offered',
    kind: 'text',
    text: ({ frames }) =>
      html`${count(frames.delivered)} <span class="note">of ${count(frames.offered)}</span>`,
  },
  { group: 'Frames', title: 'dropped', unit: 'by reason', label: 'dropped', kind: 'text', text: drops },
  {
    group: 'Bottleneck',
    title: 'core',
    unit: 'stage',
    label: 'bottleneck',
    kind: 'text',
    text: ({ bottleneck }) => html`${bottleneck.core} <span class="note">${bottleneck.stage}</span>`,
  },
];

function drops({ drops: reasons, frames }: ReportResult): Html | string {
  const known = Object.entries(reasons).filter(([, frames]) => frames > 0);
  if (known.length === 0) return frames.dropped === 0 ? 'none' : count(frames.dropped);
  return html`${known.map(
    ([reason, frames]) =>
      html`<span class="line">${count(frames)} <span class="note">${reason}</span></span>`,
  )}`;
}

/** The table of one workload; on a narrow page every row becomes a card. */
export function resultsTable(workload: string, results: readonly ReportResult[]): Html {
  const groups: { name: string; columns: number }[] = [];
  for (const { group } of COLUMNS) {
    const last = groups[groups.length - 1];
    if (last?.name === group) last.columns++;
    else groups.push({ name: group, columns: 1 });
  }
  const isStart = (at: number): boolean => at === 0 || COLUMNS[at - 1].group !== COLUMNS[at].group;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Results of ${workload}">
<table class="results" role="table">
<thead role="rowgroup">
<tr class="group" role="row"><td class="corner"></td>${groups.map(
    ({ name, columns }) => html`<th class="starts" scope="colgroup" colspan="${columns}">${name}</th>`,
  )}</tr>
<tr role="row"><th class="text" scope="col" role="columnheader">back end</th>${COLUMNS.map(
    ({ title, unit, kind }, at) =>
      html`<th class="${classes(isStart(at) && 'starts', kind)}" scope="col" role="columnheader">${title}<span class="unit">${unit}</span></th>`,
  )}</tr>
</thead>
<tbody role="rowgroup">
${results.map((result) => row(result, results, isStart))}
</tbody>
</table></div>${missingOptions(results)}`;
}

/** Options that back ends do not have, under the table. */
function missingOptions(results: readonly ReportResult[]): Html | undefined {
  const lines = results.flatMap(({ backend, not_applicable: sentences = [] }) =>
    sentences.map((sentence) => html`<li><strong>${backend}</strong> ${sentence}</li>`),
  );
  return lines.length > 0 ? html`<ul class="missing">${lines}</ul>` : undefined;
}

function row(result: ReportResult, results: readonly ReportResult[], isStart: (at: number) => boolean): Html {
  const cells = COLUMNS.map((column, at) => {
    const isBest = results.length > 1 && column.best !== undefined && bestOf(column, results) === result;
    const wide = column.kind === 'text' && 'wide';
    const name = classes(isStart(at) && 'starts', column.kind, wide, isBest && 'best');
    return html`<td class="${name}" role="cell" data-label="${column.label}">${column.text(result)}</td>`;
  });
  return html`<tr role="row" data-backend="${result.backend}"><th scope="row" role="rowheader">${swatch(
    backendColor(result.backend),
  )}${result.backend}</th>${cells}</tr>
`;
}

/** The only result that has a column's best figure; undefined when several share it. */
function bestOf({ value, best }: Column, results: readonly ReportResult[]): ReportResult | undefined {
  if (value === undefined) return undefined;
  const sign = best === 'high' ? 1 : -1;
  const top = Math.max(...results.map((result) => sign * value(result)));
  const holders = results.filter((result) => sign * value(result) === top);
  return holders.length === 1 ? holders[0] : undefined;
}

function classes(...names: (string | false | undefined)[]): string {
  return names.filter((name) => name).join(' ');
}
