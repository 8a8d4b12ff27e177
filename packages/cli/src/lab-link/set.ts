import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags, livingLab } from '../lab-options.ts';
import { renderLab } from '../lab-table.ts';
import { waitForRuns } from '../wait-for-runs.ts';

export const examples = [
  [
    'vhostlab lab link set pvp nic0:wire --loss 1% --delay 10us --at 20us',
    'impair a link from a moment of virtual time on',
  ],
] as const;

interface SetFlags extends LabFlags {
  at?: string;
  dryRun?: boolean;
  wait?: boolean;
  json?: boolean;
  delay?: string;
  jitter?: string;
  loss?: string;
  corrupt?: string;
  rate?: string;
}

/** Adds `vhostlab lab link set`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('set')
    .description(
      'change what a link does to its frames; the runs begin anew with the change in them and are the same up to it',
    )
    .argument('<lab>', 'name of the lab, or its file')
    .argument('<link>', 'an end of the link such as nic0:wire, or both with a comma')
    .option('--at <time>', 'virtual time from the start of traffic, such as 5ms')
    .option('--delay <time>', 'added to the latency of every frame, such as 10us; 0us: nothing')
    .option('--jitter <time>', 'a further time from 0 to this, drawn for each frame; order is kept')
    .option('--loss <share>', 'share of the frames that are lost, such as 1%')
    .option('--corrupt <share>', 'share of the frames of which one bit is inverted')
    .option('--rate <rate>', 'such as 10Gbps, behind a queue of 256 KiB; line: as fast as its ports')
    .option('--dry-run', 'print what would be done and do nothing')
    .option('--wait', 'end when everything has been run, and print what came of it')
    .option('--json', 'print the event, what was done, and with --wait the runs, as JSON')
    .addHelpText('after', '\nExample:\n  $ vhostlab lab link set pvp nic0:wire --loss 1% --at 20us --wait\n');
  addLabsOption(command).action((lab: string, link: string, flags: SetFlags) => set(io, lab, link, flags));
}

async function set(io: Io, name: string, link: string, flags: SetFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const state = await livingLab(name, flags);
  const endpoints = lab.settableLink(state, link);
  const settings = Object.fromEntries(
    lab.LINK_SETTINGS.flatMap((key) => (flags[key] === undefined ? [] : [[key, flags[key]]])),
  );
  if (Object.keys(settings).length === 0) {
    throw new OperatorError(`nothing is set; use ${lab.LINK_SETTINGS.map((key) => `--${key}`).join(', ')}`);
  }
  const event = { ...(flags.at === undefined ? {} : { at: flags.at }), link: { endpoints, ...settings } };
  const actions = await lab.addEvent(state, event, flags.dryRun === true).catch((error: Error) => {
    throw error instanceof lab.UsageError ? new OperatorError(withFlag(error.message)) : error;
  });
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

/** A message that begins with a key of the event, with the flag that it came from. */
function withFlag(message: string): string {
  return message.replace(/^(?:link\.)?(at|delay|jitter|loss|corrupt|rate): /, '--$1: ');
}
