import type { LinkRow } from '@vhostlab/lab';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags } from '../lab-options.ts';
import { renderTable } from '../table.ts';

interface ShowFlags extends LabFlags {
  json?: boolean;
}

export const examples = [
  ['vhostlab lab link show pvp', 'the links of a lab, and what they do to their frames'],
] as const;

/** Adds `vhostlab lab link show`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('show')
    .description('the links of a lab and what they are set to, with the moments from which on they are')
    .argument('<lab>', 'name of the lab, or its file')
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  $ vhostlab lab link show pvp\n');
  addLabsOption(command).action((name: string, flags: ShowFlags) => show(io, name, flags));
}

async function show(io: Io, name: string, flags: ShowFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const { state } = lab.stateOf(await folderOf(name, flags));
  const rows = lab.linkRows(state);
  io.out(
    flags.json === true ? `${JSON.stringify({ lab: state.name, links: rows }, null, 2)}\n` : tableOf(rows),
  );
}

const TITLES = ['link', 'latency', 'from', 'delay', 'jitter', 'loss', 'corrupt', 'rate'];

function tableOf(rows: readonly LinkRow[]): string {
  return renderTable(
    TITLES.map((title) => ({ title })),
    rows.flatMap(({ endpoints, latency_ns, settings, fixed }) => {
      const link = endpoints.join(',');
      const latency = latency_ns === undefined ? 'cost profile' : `${latency_ns / 1000} us`;
      if (fixed !== undefined) return [[link, latency, '', '', '', '', '', '']];
      return settings.map(({ from, delay, jitter, loss, corrupt, rate }, i) => [
        i === 0 ? link : '',
        i === 0 ? latency : '',
        from,
        delay,
        jitter,
        loss,
        corrupt,
        rate,
      ]);
    }),
  );
}
