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
    const { nodes, links } = description.topology;
    const { scenariosOf } = await import('@vhostlab/lab');
    const runs = scenariosOf({ file, text: '', vars: {}, description });
    io.out(
      `${file} is lab ${description.name}: ${nodes.length} nodes, ${links.length} links, runs ${runs.join(', ')}\n`,
    );
  });
}
