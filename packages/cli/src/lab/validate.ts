import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addVarOption, type LabFlags, readWanted } from '../lab-options.ts';

export const examples = [
  ['vhostlab lab validate examples/pvp.lab.yaml', 'check a lab file without starting anything'],
] as const;

/** Adds `vhostlab lab validate`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('validate')
    .description('check a lab file: keys, nodes, links, placement, and whether the services take it')
    .argument('<file>', 'lab file');
  addVarOption(command).action(async (file: string, flags: LabFlags) => {
    const { description } = await readWanted(file, flags);
    const { links } = description.topology;
    const { nodes } = description.real ?? description.topology;
    const { realAsks, scenariosOf } = await import('@vhostlab/lab');
    const runs =
      description.real === undefined
        ? scenariosOf({ file, text: '', vars: {}, description })
        : realAsks(description.real);
    io.out(
      `${file} is lab ${description.name}: ${nodes.length} nodes, ${links.length} links, runs ${runs.length === 0 ? 'nothing' : runs.join(', ')}\n`,
    );
  });
}
