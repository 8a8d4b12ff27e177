import type { RingTotals, TapSummary, ViolationCount } from '@vhostlab/vhost-tap';
import { type Column, renderTable } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'queue' },
  { title: 'made available', align: 'right' },
  { title: 'not seen', align: 'right' },
  { title: 'used', align: 'right' },
  { title: 'not seen', align: 'right' },
  { title: 'chains checked', align: 'right' },
  { title: 'violations', align: 'right' },
];

const AT_LEAST = '>=: a ring may have gone around between two samples, which then count too few steps.\n';

/** What a tap has seen, for people. `folder`: where its files are. */
export function tapReport(summary: TapSummary, folder: string): string {
  const { seconds, sessions, messages, kicks, calls, samples, frames, injected, rings, violations } = summary;
  const counts = [
    `${seconds.toFixed(1)} s`,
    `${sessions} connection${sessions === 1 ? '' : 's'}`,
    `${messages} messages`,
    ...(kicks + calls > 0 ? [`${kicks} kicks`, `${calls} calls`] : []),
    `${samples} samples`,
    `${frames} frames`,
    ...(injected > 0 ? [`${injected} faults injected`] : []),
  ];
  const parts = [`${counts.join(', ')}; files in ${folder}\n`];
  if (rings.length > 0) parts.push(ringTable(rings));
  parts.push(violations.length === 0 ? 'No rule was broken.\n' : violationList(violations));
  return parts.join('\n');
}

function ringTable(rings: readonly RingTotals[]): string {
  const rows = rings.map((ring) => [
    `vq${ring.queue}`,
    steps(ring, ring.availSteps),
    String(ring.availMissed),
    steps(ring, ring.usedSteps),
    String(ring.usedMissed),
    String(ring.chains),
    String(ring.violations),
  ]);
  const isExact = rings.every(({ longIntervals }) => longIntervals === 0);
  return `${renderTable(COLUMNS, rows)}${isExact ? '' : AT_LEAST}`;
}

function steps({ longIntervals }: RingTotals, count: number): string {
  return longIntervals === 0 ? String(count) : `>= ${count}`;
}

function violationList(violations: readonly ViolationCount[]): string {
  return violations
    .map(({ code, party, queue, count, first, clause }) => {
      const where = queue === null ? '' : ` vq${queue}`;
      const times = count === 1 ? 'once' : `${count} times, first`;
      return `${party}${where} ${code} (${times}): ${first} [${clause}]\n`;
    })
    .join('');
}
