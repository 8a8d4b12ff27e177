import type { PacketWalk, StepCounts, WalkStep } from './packet-walk.ts';
import { hexNumber } from './ring-fields.ts';
import type { SetupWalk } from './setup-walk.ts';

/** A walk as text for a terminal, 100 columns where texts allow it. Ends in a newline. */
export function renderWalk(walk: PacketWalk | SetupWalk): string {
  return walk.show === 'setup' ? renderSetup(walk) : renderPacket(walk);
}

function renderPacket({ backend, show, packet, steps }: PacketWalk): string {
  const lines = [
    `${backend}, ${show === 'tx' ? 'transmit: guest to wire' : 'receive: wire to guest'}, packet ${packet}, ${steps.length} steps`,
    '',
  ];
  for (const step of steps) lines.push(...stepLines(step), '');
  const total = steps.reduce((sum, { counts }) => add(sum, counts), NOTHING);
  lines.push(`in all: ${countsText(total) || 'no kick, call, exit, copy or DMA'}`);
  return `${lines.join('\n')}\n`;
}

function stepLines({
  number,
  time_ns,
  core,
  stage,
  words,
  address,
  bytes,
  rings,
  counts,
  clause,
}: WalkStep): string[] {
  const head = `${String(number).padStart(3)}  ${stage.padEnd(18)} ${core.padEnd(16)} ${timeText(time_ns).padStart(11)}`;
  const lines = [clause === undefined ? head : `${head}   ${clause}`, `     ${words}`];
  const facts = [
    address === undefined ? '' : `${addressText(address)}${bytes > 0 ? `, ${bytes} bytes` : ''}`,
    countsText(counts),
  ].filter((text) => text !== '');
  if (facts.length > 0) lines.push(`     ${facts.join(' · ')}`);
  for (const { what, before, after, meaning } of rings) {
    lines.push(`     ${what}: ${spaced(before)} -> ${spaced(after)}   ${meaning}`);
  }
  return lines;
}

function addressText({ kind, value, same }: NonNullable<WalkStep['address']>): string {
  const name = kind === 'buffer' ? 'host buffer at' : kind;
  return `${name} ${hexNumber(value)}${same === undefined ? '' : ` = ${same.kind} ${hexNumber(same.value)}`}`;
}

const NOTHING: StepCounts = {
  kicks: 0,
  calls: 0,
  exits: 0,
  copies: 0,
  copied_bytes: 0,
  dma: 0,
  dma_bytes: 0,
};

function add(x: StepCounts, y: StepCounts): StepCounts {
  return {
    kicks: x.kicks + y.kicks,
    calls: x.calls + y.calls,
    exits: x.exits + y.exits,
    copies: x.copies + y.copies,
    copied_bytes: x.copied_bytes + y.copied_bytes,
    dma: x.dma + y.dma,
    dma_bytes: x.dma_bytes + y.dma_bytes,
  };
}

function countsText(counts: StepCounts): string {
  return [
    counts.kicks > 0 ? plural(counts.kicks, 'kick') : '',
    counts.exits > 0 ? plural(counts.exits, 'exit') : '',
    counts.copies > 0 ? `${plural(counts.copies, 'copy', 'copies')} of ${counts.copied_bytes} bytes` : '',
    counts.dma > 0
      ? `${plural(counts.dma, 'DMA')}${counts.dma_bytes > 0 ? ` of ${counts.dma_bytes} bytes` : ''}`
      : '',
    counts.calls > 0 ? plural(counts.calls, 'call') : '',
  ]
    .filter((text) => text !== '')
    .join(', ');
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function renderSetup({ backend, steps, memory }: SetupWalk): string {
  const lines = [`${backend}, set-up: negotiation and memory map, ${steps.length} steps`, ''];
  for (const { number, time_ns, core, words, details, exits, clause } of steps) {
    const head = `${String(number).padStart(3)}  ${core.padEnd(16)} ${timeText(time_ns).padStart(11)}  ${words}`;
    const facts = [exits > 0 ? plural(exits, 'exit') : '', clause ?? ''].filter((text) => text !== '');
    lines.push(facts.length > 0 ? `${head} (${facts.join('; ')})` : head);
    for (const detail of details) lines.push(`${' '.repeat(35)}${detail}`);
  }
  lines.push('', 'memory map');
  for (const { what, gpa, bytes, mapped } of memory) {
    const range = `GPA ${hexNumber(gpa)} to ${hexNumber(gpa + bytes - 1)}`;
    const other = mapped === undefined ? '' : ` -> ${mapped.kind} ${hexNumber(mapped.value)}`;
    lines.push(`     ${what.padEnd(30)} ${range}, ${bytes} bytes${other}`);
  }
  const exits = steps.reduce((sum, step) => sum + step.exits, 0);
  lines.push('', `in all: ${plural(exits, 'exit')} for registers`);
  return `${lines.join('\n')}\n`;
}

function timeText(ns: number): string {
  return ns >= 1e6
    ? `${(ns / 1e6).toFixed(3)} ms`
    : ns >= 1e3
      ? `${(ns / 1e3).toFixed(2)} µs`
      : `${ns.toFixed(1)} ns`;
}

/** Groups of eight digits. */
function spaced(hex: string): string {
  return hex.replace(/(.{8})(?=.)/g, '$1 ');
}
