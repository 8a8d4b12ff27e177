import type { LabEvent } from '@vhostlab/lab';
import { type Command, Option } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags } from '../lab-options.ts';

interface EventFlags extends LabFlags {
  format: 'text' | 'json';
  follow?: boolean;
}

export const examples = [
  ['vhostlab lab events pvp --follow', 'what happens to a lab, until it ends'],
] as const;

/** Adds `vhostlab lab events`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('events')
    .description('what has happened to a lab: actions, services, runs')
    .argument('<lab>', 'name of the lab, or its file')
    .option('--follow', 'go on with new events until the lab ends')
    .addOption(
      new Option('-f, --format <format>', 'text, or json: one object per line')
        .choices(['text', 'json'])
        .default('text'),
    );
  addLabsOption(command).action((name: string, flags: EventFlags) => events(io, name, flags));
}

async function events(io: Io, name: string, flags: EventFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const folder = await folderOf(name, flags);
  const { state, isUp } = lab.stateOf(folder);
  const print = (event: LabEvent): void =>
    io.out(flags.format === 'json' ? `${JSON.stringify(event)}\n` : lineOf(event));
  if (!isUp) {
    for (const event of folder.readEvents()) print(event);
    return;
  }
  const { client, close } = lab.connectToLab(state);
  const stream = client.events({ from: 0n, follow: flags.follow === true });
  io.interruptible().addEventListener('abort', () => stream.cancel(), { once: true });
  try {
    for await (const { eventJson } of stream) print(JSON.parse(eventJson) as LabEvent);
  } finally {
    close();
  }
}

function lineOf({ at, kind, name, what, detail }: LabEvent): string {
  return `${at} ${kind} ${name}: ${what}${detail === undefined ? '' : ` (${detail})`}\n`;
}
