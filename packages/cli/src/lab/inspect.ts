import { type Command, Option } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags } from '../lab-options.ts';
import { renderLab } from '../lab-table.ts';
import { renderTable } from '../table.ts';

interface InspectFlags extends LabFlags {
  format: 'table' | 'json';
}

/** Adds `vhostlab lab inspect`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('inspect')
    .description(
      'what a lab is: nodes, where they run, how they are, and what was run; without a name all labs',
    )
    .argument('[lab]', 'name of the lab, or its file')
    .addOption(
      new Option('-f, --format <format>', 'table or json').choices(['table', 'json']).default('table'),
    );
  addLabsOption(command).action((name: string | undefined, flags: InspectFlags) => inspect(io, name, flags));
}

async function inspect(io: Io, name: string | undefined, flags: InspectFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  if (name !== undefined) {
    const { state } = lab.stateOf(await folderOf(name, flags));
    io.out(flags.format === 'json' ? `${JSON.stringify(state, null, 2)}\n` : renderLab(state));
    return;
  }
  const states = lab
    .labNames(flags.labs)
    .map((each) => lab.stateOf(new lab.LabFolder(flags.labs, each)).state);
  if (flags.format === 'json') io.out(`${JSON.stringify(states, null, 2)}\n`);
  else if (states.length === 0) io.out(`there are no labs below ${flags.labs}\n`);
  else {
    io.out(
      renderTable(
        ['lab', 'phase', 'nodes', 'process', 'file'].map((title) => ({ title })),
        states.map((state) => [
          state.name,
          state.phase,
          String(state.nodes.length),
          String(state.supervisor),
          state.file,
        ]),
      ),
    );
  }
}
