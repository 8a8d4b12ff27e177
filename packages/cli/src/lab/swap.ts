import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags, livingLab } from '../lab-options.ts';
import { renderLab } from '../lab-table.ts';
import { waitForRuns } from '../wait-for-runs.ts';

export const examples = [
  [
    'vhostlab lab swap swap guest0 --to vhost-net --at 8ms',
    'move the device of a running guest to another back end',
  ],
] as const;

interface SwapFlags extends LabFlags {
  to: string;
  at?: string;
  dryRun?: boolean;
  wait?: boolean;
  json?: boolean;
}

/** Adds `vhostlab lab swap`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('swap')
    .description(
      "move a guest's device to another back end while it runs; the runs begin anew with that in them and are the same up to it",
    )
    .argument('<lab>', 'name of the lab, or its file')
    .argument('<guest>', 'the guest, such as guest0')
    .requiredOption(
      '--to <backend>',
      'vhost-net, vhost-user, vfio or vdpa; on the real clock a back end without links',
    )
    .option('--at <time>', 'virtual time from the start of traffic, such as 5ms; left out on the real clock')
    .option('--dry-run', 'print what would be done and do nothing')
    .option('--wait', 'end when everything has been run, and print what came of it')
    .option('--json', 'print the event, what was done, and with --wait the runs, as JSON')
    .addHelpText('after', '\nExample:\n  $ vhostlab lab swap swap guest0 --to vhost-net --at 8ms --wait\n');
  addLabsOption(command).action((lab: string, guest: string, flags: SwapFlags) =>
    swap(io, lab, guest, flags),
  );
}

async function swap(io: Io, name: string, guest: string, flags: SwapFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const state = await livingLab(name, flags);
  const event = { ...(flags.at === undefined ? {} : { at: flags.at }), swap: { guest, to: flags.to } };
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
}
