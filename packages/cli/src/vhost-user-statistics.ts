import type { QueueSnapshot } from '@vhostlab/vhost-device';
import { renderTable } from './table.ts';

/** Drops by reason, those that happened. */
function drops(queue: QueueSnapshot): string {
  const found = Object.entries(queue).filter(([name, value]) => name.startsWith('drop_') && value > 0);
  return found.map(([name, value]) => `${name.slice(5).replaceAll('_', '-')} ${value}`).join(', ');
}

/** Statistics of all queues as text, rates from what was `seconds` before. RX and TX are the guest's. */
export function statisticsTable(
  now: readonly QueueSnapshot[],
  before: readonly QueueSnapshot[],
  seconds: number,
): string {
  const rows = now.map((queue, at) => {
    const last = before[at] as QueueSnapshot;
    const frames = queue.frames - last.frames;
    const bursts = Object.entries(queue).reduce(
      (sum, [name, value]) => (name.startsWith('batch_') ? sum + value - last[name as 'batch_1'] : sum),
      0,
    );
    return [
      `${queue.device}`,
      `${queue.queue % 2 === 0 ? 'rx' : 'tx'}${Math.floor(queue.queue / 2)}`,
      (frames / seconds / 1e6).toFixed(3),
      (((queue.bytes - last.bytes) * 8e-9) / seconds).toFixed(3),
      bursts === 0 ? '-' : (frames / bursts).toFixed(1),
      `${queue.kicks - last.kicks}`,
      `${queue.calls - last.calls}`,
      `${queue.calls_suppressed - last.calls_suppressed}`,
      `${queue.next_available}/${queue.next_used}`,
      queue.violations > 0 ? `broken; ${drops(queue)}` : drops(queue),
    ];
  });
  const columns = [
    'device',
    'queue',
    'Mpps',
    'Gbit/s',
    'per burst',
    'kicks',
    'calls',
    'suppressed',
    'avail/used',
    'dropped',
  ];
  return renderTable(
    columns.map((title, at) => ({ title, align: at === 1 || at === columns.length - 1 ? 'left' : 'right' })),
    rows,
  );
}
