import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags, livingLab } from '../lab-options.ts';
import { renderLab } from '../lab-table.ts';
import { waitForRuns } from '../wait-for-runs.ts';

export const examples = [
  ['vhostlab lab migrate migrate guest0 --to east --at 2ms', 'move a running guest to another host'],
] as const;

interface MigrateFlags extends LabFlags {
  to: string;
  at?: string;
  maxDowntime?: string;
  maxRounds?: string;
  dryRun?: boolean;
  wait?: boolean;
  json?: boolean;
}

/** Adds `vhostlab lab migrate`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('migrate')
    .description(
      'move a guest to another host while it runs; the runs begin anew with that in them and are the same up to it',
    )
    .argument('<lab>', 'name of the lab, or its file')
    .argument('<guest>', 'the guest, such as guest0')
    .requiredOption('--to <host>', 'one of system.hosts of the lab file')
    .option('--at <time>', 'virtual time from the start of traffic, such as 2ms')
    .option('--max-downtime <time>', 'copy in rounds until what is left takes no longer; 500us')
    .option('--max-rounds <n>', 'rounds while the guest runs; 8')
    .option('--dry-run', 'print what would be done and do nothing')
    .option(
      '--wait',
      'end when everything has been run, and print what came of it; status 1 if the guest is not sound there',
    )
    .option('--json', 'print the event, what was done, and with --wait the runs, as JSON')
    .addHelpText('after', '\nExample:\n  $ vhostlab lab migrate migrate guest0 --to east --at 2ms --wait\n');
  addLabsOption(command).action((lab: string, guest: string, flags: MigrateFlags) =>
    migrate(io, lab, guest, flags),
  );
}

async function migrate(io: Io, name: string, guest: string, flags: MigrateFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const state = await livingLab(name, flags);
  const { at, to, maxDowntime, maxRounds } = flags;
  const event = {
    ...(at === undefined ? {} : { at }),
    migrate: {
      guest,
      to,
      ...(maxDowntime === undefined ? {} : { maxDowntime }),
      ...(maxRounds === undefined ? {} : { maxRounds: Number(maxRounds) }),
    },
  };
  const actions = await lab.addEvent(state, event, flags.dryRun === true);
  if (flags.json !== true) io.out(`${actions.join('\n')}\n`);
  const after =
    flags.wait === true && flags.dryRun !== true
      ? await waitForRuns(io, await folderOf(name, flags))
      : undefined;
  if (flags.json === true) {
    const runs = after === undefined ? {} : { runs: after.runs, event_log_sha256: after.event_log_sha256 };
    io.out(`${JSON.stringify({ lab: state.name, event, actions, ...runs }, null, 2)}\n`);
  } else if (after !== undefined) io.out(renderLab(after));
  const failed = after?.runs.find(({ migration }) => lab.hasMigrationFailed(migration));
  if (failed !== undefined) {
    const [note] = lab.migrationNotes(failed.migration).slice(-1);
    throw new lab.MigrationError(`${failed.name}: ${note}`);
  }
}
