import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, addVarOption, folderOf, type LabFlags } from '../lab-options.ts';

/** Adds `vhostlab lab graph`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('graph')
    .description('a lab file, or a lab that is up with its states, as a Mermaid flow chart')
    .argument('<lab>', 'lab file, or name of a lab');
  addLabsOption(addVarOption(command)).action(async (name: string, flags: LabFlags) => {
    const lab = await import('@vhostlab/lab');
    if (!/\.ya?ml$/.test(name)) {
      io.out(lab.mermaidOf(lab.stateOf(await folderOf(name, flags)).state));
      return;
    }
    const { name: labName, topology, real } = lab.loadLabFile(name, flags.var ?? {});
    const nodes =
      real === undefined
        ? topology.nodes.map((node) => ({ ...node, placement: node.placement.how }))
        : real.nodes.map((node) => ({ ...node, placement: 'process' }));
    io.out(lab.mermaidOf({ name: labName, nodes, links: [...topology.links] }));
  });
}
