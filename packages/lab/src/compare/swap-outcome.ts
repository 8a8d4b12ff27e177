import type { CoreStatistics } from '@vhostlab/engine';
import type { ArrivalGap, BackendName } from '@vhostlab/workload';
import type { ScenarioOutcome } from '../run/run-scenario.ts';
import { orderOf } from './migration-outcome.ts';

/** What a VMM says of a change of the back end: a result of its core (`SwapReport` of the guest service). */
interface SwapReport {
  guest: number;
  from: BackendName;
  to: BackendName;
  path: Swap['path'];
  reason: string;
  missing: string[];
  commandPs: number;
  heldPs: number;
  drainedPs: number;
  stoppedPs: number;
  startedPs: number;
  releasedPs: number;
  drained: { rx: number; tx: number };
  gaveUp: boolean;
}

/** One change of a guest's back end. Moments in microseconds from the start of traffic; 0 where it did not come to that. */
export interface Swap {
  guest: string;
  from: BackendName;
  to: BackendName;
  /** carried: the driver saw nothing. reset: DEVICE_NEEDS_RESET. failover: over a standby device. refused: it stayed. */
  path: 'carried' | 'reset' | 'failover' | 'refused';
  reason: string;
  /** Acknowledged features that the new back end does not offer. */
  missing: string[];
  at_us: number;
  drained_us: number;
  stopped_us: number;
  started_us: number;
  released_us: number;
  /** From the stop of the old back end's rings to the start of the new one's. */
  stopped_for_us: number;
  /** Longest time around it in which no sink took a frame: from the last one before to the first one after. */
  downtime_us: number;
  /** Frames completed between the command and the stop, by direction as the guest sees it. */
  drained: { rx: number; tx: number };
  /** False: the old back end was not quiet in time, and what it had is among the drops. */
  drain_complete: boolean;
  /** Frames that the driver sent again after a reset. */
  resubmitted: number;
}

/** The changes of back ends in a run, and what became of its frames. */
export interface Swaps {
  changes: Swap[];
  /** Of the whole run. Lost: offered and never delivered, by reason. */
  lost: Record<string, number>;
  duplicated: number;
  reordered: number;
}

const US = 1e6;

/** The changes of back ends of a run; undefined when its events have none. `drops` are those of the whole run. */
export function swapOutcome(
  { config, cores, plan }: Pick<ScenarioOutcome, 'config' | 'cores' | 'plan'>,
  drops: Readonly<Record<string, number>>,
): Swaps | undefined {
  if (config.events?.some(({ kind }) => kind === 'swap') !== true) return undefined;
  const reports = cores.flatMap(({ results }) => (results.swaps as SwapReport[] | undefined) ?? []);
  const us = (ps: number) => (ps === 0 ? 0 : round((ps - plan.accountFromPs) / US));
  const resubmitted = resubmittedByReset(cores);
  let resets = 0;
  return {
    changes: reports.map((report) => ({
      guest: `guest${report.guest}`,
      from: report.from,
      to: report.to,
      path: report.path,
      reason: report.reason,
      missing: report.missing,
      at_us: us(report.commandPs),
      drained_us: us(report.drainedPs),
      stopped_us: us(report.stoppedPs),
      started_us: us(report.startedPs),
      released_us: us(report.releasedPs),
      stopped_for_us: report.startedPs === 0 ? 0 : round((report.startedPs - report.stoppedPs) / US),
      downtime_us: downtimeUs(cores, report),
      drained: report.drained,
      drain_complete: !report.gaveUp,
      resubmitted: report.path === 'reset' ? (resubmitted[resets++] ?? 0) : 0,
    })),
    lost: { ...drops },
    ...orderOf(cores),
  };
}

/** Frames sent again after each reset, over all vCPUs. */
function resubmittedByReset(cores: readonly CoreStatistics[]): number[] {
  const sums: number[] = [];
  for (const { results } of cores) {
    const counts = (results.resubmitted as number[] | undefined) ?? [];
    counts.forEach((count, reset) => {
      sums[reset] = (sums[reset] ?? 0) + count;
    });
  }
  return sums;
}

/** The longest gap of a sink that overlaps the time in which no back end had the rings. */
function downtimeUs(cores: readonly CoreStatistics[], { stoppedPs, startedPs }: SwapReport): number {
  if (startedPs === 0) return 0;
  const gaps = cores.flatMap(({ results }) => (results.gaps as ArrivalGap[] | undefined) ?? []);
  const around = gaps.filter(({ fromPs, toPs }) => toPs > stoppedPs && fromPs < startedPs);
  return round(Math.max(0, ...around.map(({ fromPs, toPs }) => toPs - fromPs)) / US);
}

/** One sentence per change of a back end, for tables. */
export function swapNotes(swaps: Swaps | undefined): string[] {
  if (swaps === undefined) return [];
  const lost = Object.entries(swaps.lost).map(([reason, count]) => `${count} ${reason}`);
  const { duplicated, reordered } = swaps;
  const frames = `lost ${lost.length === 0 ? 0 : lost.join(', ')}, duplicated ${duplicated}, reordered ${reordered}`;
  return swaps.changes.map((swap) => {
    const head = `${swap.guest} from ${swap.from} to ${swap.to} at ${swap.at_us} us: ${swap.path}`;
    if (swap.path === 'refused') return `${head}: ${swap.reason}`;
    const { rx, tx } = swap.drained;
    const again = swap.path === 'reset' ? `, ${swap.resubmitted} frames sent again` : '';
    const gaveUp = swap.drain_complete ? '' : ', the drain was given up';
    return `${head} (${swap.reason}); down ${swap.downtime_us} us, rings stopped for ${swap.stopped_for_us} us; completed in the drain ${rx} rx and ${tx} tx frames${again}${gaveUp}; ${frames}`;
  });
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
