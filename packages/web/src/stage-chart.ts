import { type Bar, type ChartSpec, roundTicks } from './chart-spec.ts';
import { axisFigure, duration } from './format.ts';
import type { StagePalette } from './palette.ts';
import type { ReportStage } from './report-data.ts';

const ACCOUNTS = ['guest', 'host', 'hardware'] as const;
const ROW_PX = 28;
const IDLE_COLOR = { light: '#8a93a0', dark: '#8a93a0' };

/** Rows of the stage chart and of its table: one per back end and account that has time. */
export interface StageRow {
  backend: string;
  account: (typeof ACCOUNTS)[number];
  totalNs: number;
  stages: readonly ReportStage[];
}

/** Groups stages into rows; back ends in the order given. A back end without host time keeps its host row. */
export function stageRows(stages: readonly ReportStage[], backends: readonly string[]): StageRow[] {
  const has = (backend: string): boolean => stages.some((stage) => stage.backend === backend);
  return backends.flatMap((backend) =>
    ACCOUNTS.map((account) => {
      const own = stages.filter((stage) => stage.backend === backend && stage.account === account);
      const totalNs = own.reduce((sum, { ns_per_packet }) => sum + ns_per_packet, 0);
      return { backend, account, totalNs, stages: own };
    }).filter(({ totalNs, account }) => totalNs > 0 || (account === 'host' && has(backend))),
  );
}

/** Where the time goes: nanoseconds per packet, stacked by stage. */
export function stageChart(workload: string, rows: readonly StageRow[], palette: StagePalette): ChartSpec {
  const bars: Bar[] = [];
  rows.forEach(({ backend, account, totalNs, stages }, row) => {
    let from = 0;
    if (stages.length === 0) {
      const tip = [backend, `no ${account} core works for a packet`];
      bars.push({ row, from, to: 0, color: IDLE_COLOR, inside: '', after: '0', tip });
    }
    stages.forEach(({ stage, ns_per_packet: ns }, i) => {
      bars.push({
        row,
        from,
        to: from + ns,
        color: palette.color(stage),
        inside: stage,
        after: i === stages.length - 1 ? duration(totalNs) : '',
        tip: [stage, `${backend}, ${account}: ${duration(ns)} per packet`],
      });
      from += ns;
    });
  });
  const axis = roundTicks(Math.max(0, ...rows.map(({ totalNs }) => totalNs)), 5, axisFigure);
  const texts = rows.map((row) => `${row.backend} ${row.account} ${duration(row.totalNs)}`);
  return {
    id: `stages-${workload}`,
    title: 'Where the time goes',
    caption: 'ns per packet; cores work in parallel, so the longest row bounds the throughput, not the sum',
    summary: `Time per packet by back end and by who pays. ${texts.join('; ')}.`,
    rows: rows.map(({ backend, account }, i) =>
      rows[i - 1]?.backend === backend ? account : `${backend}  ${account}`,
    ),
    separators: rows.flatMap(({ backend }, i) => (i > 0 && rows[i - 1].backend !== backend ? [i] : [])),
    bars,
    connections: [],
    ...axis,
    rowHeightPx: ROW_PX,
  };
}
