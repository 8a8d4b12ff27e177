import type { Measured } from '@vhostlab/lab';
import { type Column, renderTable } from './table.ts';

type Run = Measured['runs'][number];

const right = (title: string): Column => ({ title, align: 'right' });

/** Where the wall-clock time of the runs went, for people; ends in a newline. */
export function renderMeasured({ machine, runs }: Measured): string {
  return [`measured on ${machine}:`, ...runs.flatMap((run) => ['', ...linesOf(run)]), ''].join('\n');
}

function linesOf(run: Run): string[] {
  const empty = (100 * run.null_message_ratio).toFixed(0);
  return [
    `${run.run}: ${run.wall_ms.toFixed(0)} ms, ${run.rounds} rounds (${run.rounds_empty} sent nothing), ${run.windows} windows (${empty} % carried nothing)`,
    timesTable(run),
    waitsTable(run),
    channelsTable(run),
    run.coupling.advice,
  ].map((part) => part.trimEnd());
}

function timesTable({ processes }: Run): string {
  return renderTable(
    [
      { title: 'process' },
      right('windows'),
      right('empty'),
      right('events'),
      right('work ms'),
      right('blocked ms'),
      right('waiting ms'),
      right('messages ms'),
    ],
    processes.map((each) => [
      each.process,
      String(each.windows),
      String(each.windows_empty),
      String(each.events),
      ...[each.work_ms, each.blocked_ms, each.waiting_ms, each.messages_ms].map((ms) => ms.toFixed(1)),
    ]),
  );
}

/** Who waited for whom: a row for each that waited, a column for each that was waited for. */
function waitsTable({ processes, waits }: Run): string {
  const names = processes.map(({ process }) => process);
  const cell = (process: string, on: string): string => {
    if (process === on) return '-';
    return (waits.find((wait) => wait.process === process && wait.on === on)?.ms ?? 0).toFixed(1);
  };
  return renderTable(
    [{ title: 'waited, ms' }, ...names.map((name) => right(`for ${name}`))],
    names.map((process) => [process, ...names.map((on) => cell(process, on))]),
  );
}

function channelsTable({ channels }: Run): string {
  return renderTable(
    [
      { title: 'channel' },
      { title: 'between' },
      right('latency ns'),
      right('batches'),
      right('messages'),
      right('bytes'),
      { title: 'blocked ms' },
    ],
    channels.map((channel) => [
      channel.channel,
      channel.between.join(', '),
      String(channel.latency_ns),
      String(channel.batches),
      String(channel.messages),
      String(channel.payload_bytes),
      Object.entries(channel.blocked_ms)
        .map(([process, ms]) => `${process} ${ms.toFixed(1)}`)
        .join(', '),
    ]),
  );
}
