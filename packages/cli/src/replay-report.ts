import type { ReplayedDifference, ReplayedViolation, ReplaySummary } from '@vhostlab/vhost-tap';

/** What replaying a recording has shown, for people. */
export function replayReport(summary: ReplaySummary): string {
  const { runs, seconds, sessions, played, violations, differences, notes } = summary;
  const counts = [
    plural(runs, 'run'),
    `${seconds.toFixed(1)} s`,
    `${plural(sessions, 'connection')} each`,
    `${played.messages} messages`,
    `${plural(played.rings, 'ring')} started`,
    `${played.offered} buffers offered, ${played.used} used`,
    ...(played.skipped > 0 ? [`${played.skipped} not offered`] : []),
    `${played.kicks} kicks`,
    `${played.calls} calls`,
  ];
  const lines = [
    counts.join(', '),
    ...notes.map((note) => `Note: ${note}.`),
    '',
    ...violations.map((violation) => violationLine(violation, runs)),
    ...differences.map((difference) => differenceLine(difference, runs)),
  ];
  if (violations.length === 0) lines.push('No rule was broken.');
  if (differences.length === 0) lines.push('No answer differs from the recorded one.');
  return `${lines.join('\n')}\n`;
}

function violationLine(
  { party, queue, code, first, clause, count, runs }: ReplayedViolation,
  all: number,
): string {
  const where = queue === null ? '' : ` vq${queue}`;
  return `${party}${where} ${code} (${ofRuns(runs, all)}, ${plural(count, 'time')}): ${first} [${clause}]`;
}

function differenceLine({ about, text, runs }: ReplayedDifference, all: number): string {
  return `${about} (${ofRuns(runs, all)}): ${text}`;
}

function ofRuns(runs: number, all: number): string {
  return `${runs} of ${plural(all, 'run')}`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
