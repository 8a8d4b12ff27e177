import type { FrontendFigures, FrontendResult, LatencyFigures, QueueCounters } from '@vhostlab/vhost-driver';
import { renderTable } from './table.ts';

const FCS_BYTES = 4;

/** Drops by reason, those that happened: `short 3, merge 1`. */
function dropsText(counters: QueueCounters): string {
  return Object.entries(counters)
    .filter(([name, value]) => name.startsWith('drop') && value > 0)
    .map(([name, value]) => `${name.slice('drop'.length).toLowerCase()} ${value}`)
    .join(', ');
}

/** Frame bits with FCS per second. */
function gbps(packets: number, bytes: number, seconds: number): string {
  return (((bytes + FCS_BYTES * packets) * 8e-9) / seconds).toFixed(3);
}

function mpps(packets: number, seconds: number): string {
  return (packets / seconds / 1e6).toFixed(3);
}

/** One line about what happened since `before`. */
export function progressLine(now: FrontendFigures, before: FrontendFigures): string {
  const seconds = Math.max(1e-3, (now.elapsedMs - before.elapsedMs) / 1000);
  const side = (name: 'rx' | 'tx'): string => {
    const packets = now[name].packets - before[name].packets;
    const bytes = now[name].bytes - before[name].bytes;
    return `${name} ${mpps(packets, seconds)} Mpps ${gbps(packets, bytes, seconds)} Gbit/s`;
  };
  const drops = [dropsText(now.rx), dropsText(now.tx)].filter((text) => text !== '').join(', ');
  return `${(now.elapsedMs / 1000).toFixed(0).padStart(4)} s  ${side('tx')}  ${side('rx')}  drops ${drops || 0}`;
}

/** The table of queues at the end, and latencies where they were measured. */
export function finalText(result: FrontendResult): string {
  const { figures, latency, undelivered } = result;
  const seconds = Math.max(1e-3, figures.elapsedMs / 1000);
  const rows = figures.queues.map((queue) => [
    `${queue.direction}${queue.index >> 1}`,
    String(queue.packets),
    mpps(queue.packets, seconds),
    gbps(queue.packets, queue.bytes, seconds),
    queue.bursts === 0 ? '-' : (queue.packets / queue.bursts).toFixed(1),
    String(queue.kicks),
    String(queue.kicksSuppressed),
    String(queue.interrupts),
    String(queue.replayed),
    [queue.broken > 0 ? `broken ${queue.broken} times` : '', dropsText(queue)]
      .filter((text) => text !== '')
      .join('; '),
  ]);
  const titles = [
    'queue',
    'packets',
    'Mpps',
    'Gbit/s',
    'per burst',
    'kicks',
    'suppressed',
    'interrupts',
    'replayed',
    'dropped',
  ];
  const table = renderTable(
    titles.map((title, at) => ({ title, align: at === 0 || at === titles.length - 1 ? 'left' : 'right' })),
    rows,
  );
  const held = undelivered > 0 ? `${undelivered} frames were still with the back end at the end\n` : '';
  return `${table}${held}${latency === undefined ? '' : latencyText(latency)}${verifyText(result)}`;
}

function latencyText(latency: LatencyFigures): string {
  const us = (ns: number): string => (ns / 1000).toFixed(1);
  const { answered, lost, stray, minNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = latency;
  return (
    `${answered} answers: min ${us(minNs)} us, p50 ${us(p50Ns)}, p90 ${us(p90Ns)}, p99 ${us(p99Ns)}, ` +
    `p99.9 ${us(p999Ns)}, max ${us(maxNs)}; ${lost} requests without answer, ${stray} frames that answer none\n`
  );
}

function verifyText({ verified }: FrontendResult): string {
  if (verified === undefined) return '';
  return `verified: ${Object.entries(verified)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')}\n`;
}
