import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addPluginPlace, type PlaceFlags, placeOf } from '../plugin-flags.ts';

interface Flags extends PlaceFlags {
  ignore: string[];
  json?: boolean;
}

/** The plugin does not answer what it answered. */
class OtherAnswers extends Error {
  readonly exitCode = 1;
}

/** Adds `vhostlab plugin replay`. */
export function register(group: Command, io: Io): void {
  addPluginPlace(group.command('replay'))
    .description('make the calls of a recording at a plugin and compare its answers')
    .argument('<file>', 'what vhostlab plugin record wrote')
    .option(
      '--ignore <message.field>',
      'a field that may differ, such as Hello.name; repeat for more',
      (field: string, before: string[]) => [...before, field],
      [],
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExit status: 0 the same answers, 1 others, 2 bad usage.\n\nExample:\n  vhostlab plugin replay wire.jsonl --package .',
    )
    .action((file: string, flags: Flags) => run(io, file, flags));
}

async function run(io: Io, file: string, flags: Flags): Promise<void> {
  const kit = await import('@vhostlab/plugin-kit');
  const recording = kit.readRecording(file);
  const plugin = await kit.openPlugin(await placeOf(flags));
  try {
    const transport = plugin.connect();
    try {
      const report = await kit.replayRecording(recording, transport, { ignored: flags.ignore });
      io.out(flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : kit.replayText(report));
      if (report.differing > 0) throw new OtherAnswers(`${report.differing} answers differ from ${file}`);
    } finally {
      transport.close();
    }
  } finally {
    await plugin.close();
  }
}
