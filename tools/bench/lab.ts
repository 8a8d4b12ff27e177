import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { distributed } from './_distributed.ts';

const BIN = new URL('../../packages/cli/bin/vhostlab.mjs', import.meta.url).pathname;
const TARGET_S = 3;

/**
 * `npm run bench -- lab [--rounds N] [--packets N] [--only up|virtual]`: seconds from `vhostlab lab up` to a lab that is ready, guest, back end, switch and
 * network card in a process each, start of the command and of the lab's own process included. Then virtual time over
 * processes: wall time of a run against embedded, for a lab that is cut at its wire of 10 µs, and everywhere.
 */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      packets: { type: 'string', default: '20000' },
      only: { type: 'string' },
    },
  });
  const load = (): string => loadavg()[0].toFixed(1);
  console.log(`load average at the start: ${load()}`);
  if (values.only !== 'virtual') benchUp(Number(values.rounds));
  if (values.only !== 'up') {
    const [packets, rounds] = [Number(values.packets), Number(values.rounds)];
    await distributed('cut at the wire', packets, rounds);
    // between queues a round is 60 ns long: a tenth of the packets takes long enough
    await distributed('cut everywhere', Math.ceil(packets / 10), rounds);
  }
  console.log(`load average at the end: ${load()}, of which this benchmark makes up to 2`);
}

function benchUp(rounds: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-bench-'));
  const file = join(folder, 'bench.lab.yaml');
  writeFileSync(
    file,
    'schema: 1\nname: bench\nsystem: {workloads: [pvp], traffic: {packets: 10}}\nroles: {backends: [vhost-user]}\nplacement: process\n',
  );
  const vhostlab = (...words: string[]): string =>
    execFileSync(process.execPath, [BIN, 'lab', ...words, '--labs', join(folder, 'labs')], {
      encoding: 'utf8',
    });
  const command: number[] = [];
  const inside: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const from = process.hrtime.bigint();
      vhostlab('up', file);
      command.push(Number(process.hrtime.bigint() - from) / 1e9);
      const state = JSON.parse(readFileSync(join(folder, 'labs/bench/state.json'), 'utf8'));
      inside.push(state.ready_after_ms / 1000);
      vhostlab('down', 'bench');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const median = (all: number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1];
  const list = (all: number[]): string => all.map((seconds) => seconds.toFixed(2)).join(' ');
  console.log(`lab up, 4 processes: ${median(command).toFixed(2)} s (median of ${list(command)})`);
  console.log(`of that in the lab:  ${median(inside).toFixed(2)} s (median of ${list(inside)})`);
  console.log(`target ${TARGET_S} s: ${median(command) <= TARGET_S ? 'met' : 'missed'}`);
}
