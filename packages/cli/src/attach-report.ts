import type { AttachReport, QueueReport } from '@vhostlab/vhost-tap';
import { type Column, renderTable } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'queue' },
  { title: 'ring' },
  { title: 'avail', align: 'right' },
  { title: 'used', align: 'right' },
  { title: 'waiting', align: 'right' },
  { title: 'driver' },
  { title: 'device' },
  { title: 'kicks', align: 'right' },
  { title: 'calls', align: 'right' },
  { title: 'verdict' },
  { title: 'culprit' },
];

/** What `attach` has found, for people. `placeText`: how a place of a ring is written. */
export function attachReport(
  report: AttachReport,
  placeText: typeof import('@vhostlab/vhost-tap')['placeText'],
): string {
  const { queues, intervalMs, processes } = report;
  const parts = [`memory shared by ${processes.map(({ pid, name }) => `${pid} ${name}`).join(', ')}\n`];
  for (const device of new Set(queues.map((queue) => queue.device))) {
    const rows = queues.filter((queue) => queue.device === device).map((queue) => row(queue, placeText));
    parts.push(`${device}, looked at twice in ${intervalMs} ms\n${renderTable(COLUMNS, rows)}`);
  }
  parts.push(queues.map(({ verdict }) => `${verdict.kind}: ${verdict.text}\n`).join(''));
  return parts.join('\n');
}

function row(queue: QueueReport, placeText: typeof import('@vhostlab/vhost-tap')['placeText']): string[] {
  const { second, format, size, direction, waiting, verdict, isEnabled } = queue;
  const place = (at: number) => placeText(queue, at);
  const words = (flags: number, event: number) => (event < 0 ? String(flags) : `${flags}/${place(event)}`);
  return [
    `vq${queue.queue} ${direction}${isEnabled === false ? ' (disabled)' : ''}`,
    `${format} ${size}`,
    place(second.avail),
    place(second.used),
    String(waiting),
    words(second.driverFlags, second.driverEvent),
    words(second.deviceFlags, second.deviceEvent),
    countText(second.kickPending),
    countText(second.callPending),
    verdict.kind,
    verdict.culprit ?? '-',
  ];
}

function countText(count: number | null): string {
  return count === null ? '?' : String(count);
}
