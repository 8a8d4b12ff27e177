import type { Command } from 'commander';
import { systemProbes } from '../doctor/probes.ts';
import { inspectMachine, renderReport } from '../doctor/report.ts';
import type { Io } from '../io.ts';

export const examples = [
  ['vhostlab doctor', 'what this machine has: Node, CPUs, hugepages, devices, peers'],
] as const;

/** Adds `vhostlab doctor`. */
export function register(program: Command, io: Io): void {
  program
    .command('doctor')
    .description('say what this machine has and which real peers are installed')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const report = await inspectMachine(systemProbes(io.env));
      io.out(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
    });
}
