import { type Bar, type ChartSpec, roundTicks } from './chart-spec.ts';
import { axisFigure, figure } from './format.ts';
import { backendColor, type ThemeColor } from './palette.ts';
import type { ReportResult } from './report-data.ts';

const ROW_PX = 40;
/** A largest latency beyond this many times the smallest asks for a logarithmic axis. */
const FAR_APART = 12;

/** Throughput, one bar per back end. Transactions where the workload has them. */
export function throughputChart(workload: string, results: readonly ReportResult[]): ChartSpec {
  const unit = workload === 'rr' ? 'k transactions/s' : 'Mpps';
  const value = (result: ReportResult): number =>
    workload === 'rr' ? result.throughput_mpps * 1000 : result.throughput_mpps;
  const scale = linear(Math.max(0, ...results.map(value)));
  return chart(
    `throughput-${workload}`,
    'Throughput',
    `${unit}, more is better`,
    results,
    scale,
    (result) => [
      {
        to: value(result),
        color: backendColor(result.backend),
        inside: '',
        after: `${figure(value(result))}${workload === 'rr' ? '' : ` · ${figure(result.throughput_gbps)} Gbps`}`,
        tip: `${figure(value(result))} ${unit}, ${figure(result.throughput_gbps)} Gbps`,
      },
    ],
  );
}

/**
 * Latency: to the median, then to the 99th percentile. Logarithmic when back ends lie so far apart that a
 * linear axis would hide the fast ones.
 */
export function latencyChart(workload: string, results: readonly ReportResult[]): ChartSpec {
  const values = results.flatMap(({ latency_us: { p50, p99 } }) => [p50, p99]).filter((value) => value > 0);
  const isFar = values.length > 0 && Math.max(...values) > FAR_APART * Math.min(...values);
  const scale = isFar
    ? logarithmic(Math.min(...values), Math.max(...values))
    : linear(Math.max(0, ...values));
  const caption = `µs, median and p99${isFar ? ', logarithmic' : ''}; less is better`;
  return chart(`latency-${workload}`, 'Latency', caption, results, scale, (result) => {
    const { p50, p99 } = result.latency_us;
    const color = backendColor(result.backend);
    return [
      { to: p50, color, inside: 'p50', after: '', tip: `median ${figure(p50)} µs` },
      {
        to: Math.max(p50, p99),
        color: faded(color),
        inside: 'p99',
        after: `${figure(p50)} – ${figure(p99)}`,
        tip: `p99 ${figure(p99)} µs`,
      },
    ];
  });
}

/** Cores that were busy, host and guest apart. */
export function coresChart(workload: string, results: readonly ReportResult[]): ChartSpec {
  const scale = linear(Math.max(0, ...results.map((result) => result.host_cores + result.guest_cores)));
  return chart(
    `cores-${workload}`,
    'CPU',
    'cores busy, host and guest; less is better',
    results,
    scale,
    (result) => {
      const color = backendColor(result.backend);
      const { host_cores: host, guest_cores: guest } = result;
      return [
        { to: host, color, inside: 'host', after: '', tip: `host ${figure(host)} cores` },
        {
          to: host + guest,
          color: faded(color),
          inside: 'guest',
          after: `${figure(host)} + ${figure(guest)}`,
          tip: `guest ${figure(guest)} cores`,
        },
      ];
    },
  );
}

interface Segment {
  /** Value at its end; it begins where the one before ends. */
  to: number;
  color: ThemeColor;
  inside: string;
  after: string;
  tip: string;
}

/** An axis: where a value stands on it, its end and its marks. */
interface Scale {
  at(value: number): number;
  max: number;
  ticks: { at: number; label: string }[];
}

function linear(longest: number): Scale {
  return { at: (value) => value, ...roundTicks(longest, 4, axisFigure) };
}

/** From the decade below `least` to a little beyond `most`, marked at decades. */
function logarithmic(least: number, most: number): Scale {
  const from = Math.ceil(Math.log10(least)) - 1;
  const max = Math.log10(most) - from;
  return {
    at: (value) => (value > 0 ? Math.max(0, Math.log10(value) - from) : 0),
    max,
    ticks: Array.from({ length: Math.floor(max) + 1 }, (_, i) => ({
      at: i,
      label: axisFigure(10 ** (from + i)),
    })),
  };
}

function chart(
  id: string,
  title: string,
  caption: string,
  results: readonly ReportResult[],
  scale: Scale,
  segmentsOf: (result: ReportResult) => Segment[],
): ChartSpec {
  const bars: Bar[] = [];
  const texts: string[] = [];
  results.forEach((result, row) => {
    let from = 0;
    const segments = segmentsOf(result);
    for (const { to: value, color, inside, after, tip } of segments) {
      const to = scale.at(value);
      bars.push({ row, from, to, color, inside, after, tip: [result.backend, tip] });
      from = to;
    }
    texts.push(`${result.backend}: ${segments.map(({ tip }) => tip).join(', ')}`);
  });
  return {
    id,
    title,
    caption,
    summary: `${title}, ${caption}. ${texts.join('; ')}.`,
    rows: results.map(({ backend }) => backend),
    separators: [],
    bars,
    connections: [],
    max: scale.max,
    ticks: scale.ticks,
    rowHeightPx: ROW_PX,
  };
}

/** The same colour, half transparent. */
function faded({ light, dark }: ThemeColor): ThemeColor {
  return { light: `${light}73`, dark: `${dark}73` };
}
