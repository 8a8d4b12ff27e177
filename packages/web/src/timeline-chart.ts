import type { Bar, ChartSpec, Connection } from './chart-spec.ts';
import { duration } from './format.ts';
import type { StagePalette } from './palette.ts';
import type { ReportJourney } from './report-data.ts';

const ROW_PX = 34;
/** A wait is drawn at most this long, as a share of the time that the packet was worked on. */
const LONGEST_WAIT = 0.12;
/** A step is drawn at least this long, as a share of the same, so that it can be seen and pointed at. */
const SHORTEST_STEP = 0.012;

/** One step with the wait before it; nanoseconds from the packet's first event. */
export interface TimedStep {
  stage: string;
  core: string;
  startNs: number;
  endNs: number;
  waitNs: number;
}

/** Steps of a journey on a zero of their own, with waits. */
export function timedSteps(journey: ReportJourney): TimedStep[] {
  const zero = journey.steps[0]?.start_ns ?? 0;
  let before = 0;
  return journey.steps.map(({ stage, core, start_ns, end_ns }) => {
    const startNs = start_ns - zero;
    const endNs = end_ns - zero;
    const step = { stage, core, startNs, endNs, waitNs: Math.max(0, startNs - before) };
    before = Math.max(before, endNs);
    return step;
  });
}

/**
 * One packet's path: a row per core, a bar per step, a line where the packet waited or travelled. Long waits
 * are shortened and labelled, tiny steps widened; the axis is therefore not linear and its marks say the time.
 */
export function timelineChart(journey: ReportJourney, palette: StagePalette): ChartSpec {
  const steps = timedSteps(journey);
  const cores = [...new Set(steps.map(({ core }) => core))];
  const workNs = steps.reduce((sum, { startNs, endNs }) => sum + (endNs - startNs), 0);
  const unit = workNs > 0 ? workNs : 1;
  const bars: Bar[] = [];
  const connections: Connection[] = [];
  const marks: { at: number; label: string }[] = [{ at: 0, label: '0' }];
  let x = 0;
  let row = 0;
  steps.forEach(({ stage, core, startNs, endNs, waitNs }, i) => {
    const from = x + Math.min(waitNs, unit * LONGEST_WAIT);
    const to = from + Math.max(endNs - startNs, unit * SHORTEST_STEP);
    const next = cores.indexOf(core);
    if (i > 0 && (waitNs > 0 || next !== row)) {
      const label = waitNs > unit * LONGEST_WAIT ? duration(waitNs) : '';
      connections.push({ fromRow: row, fromX: x, toRow: next, toX: from, label });
    }
    const tip = [stage, `on ${core}`, `from ${duration(startNs)} for ${duration(endNs - startNs)}`];
    if (waitNs > 0) tip.push(`after waiting ${duration(waitNs)}`);
    bars.push({ row: next, from, to, color: palette.color(stage), inside: stage, after: '', tip });
    marks.push({ at: to, label: duration(endNs) });
    x = to;
    row = next;
  });
  const totalNs = steps[steps.length - 1]?.endNs ?? 0;
  return {
    id: `path-${journey.workload}-${journey.backend}`,
    title: journey.backend,
    caption: `packet ${journey.packet}: ${duration(totalNs)} in ${steps.length} steps, ${duration(workNs)} of it work`,
    summary: `Path of packet ${journey.packet} over ${journey.backend}: ${steps
      .map(({ stage, core, startNs }) => `${stage} on ${core} at ${duration(startNs)}`)
      .join(', ')}.`,
    rows: cores,
    separators: [],
    bars,
    connections,
    max: x,
    ticks: spread(marks, x),
    rowHeightPx: ROW_PX,
  };
}

/** At most six marks, not closer to each other than a sixth of the axis; the last one stays. */
function spread(marks: { at: number; label: string }[], end: number): { at: number; label: string }[] {
  const last = marks[marks.length - 1];
  const kept: { at: number; label: string }[] = [];
  for (const mark of marks.slice(0, -1)) {
    const before = kept[kept.length - 1];
    const isFree = before === undefined || mark.at - before.at >= end / 6;
    if (isFree && last.at - mark.at >= end / 6) kept.push(mark);
  }
  return marks.length > 1 ? [...kept, last] : marks;
}
