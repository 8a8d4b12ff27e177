import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { addLabsOption, addVarOption, folderOf, type LabFlags } from '../lab-options.ts';

interface GraphFlags extends LabFlags {
  page?: string;
}

/** Adds `vhostlab lab graph`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('graph')
    .description('a lab file, or a lab that is up with its states, as a Mermaid flow chart or as a page')
    .argument('<lab>', 'lab file, or name of a lab')
    .option('--page <file>', 'write an HTML page that needs nothing else: nodes, links, runs, waits');
  addLabsOption(addVarOption(command)).action(async (name: string, flags: GraphFlags) => {
    const lab = await import('@vhostlab/lab');
    if (flags.page !== undefined) {
      await writePage(flags.page, name, flags);
      io.out(`${flags.page} shows lab ${name}\n`);
      return;
    }
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

async function writePage(file: string, name: string, flags: LabFlags): Promise<void> {
  const [lab, { pageOfFile, pageOfState }, { renderLabPage }] = await Promise.all([
    import('@vhostlab/lab'),
    import('../lab-page.ts'),
    import('@vhostlab/web'),
  ]);
  const data = async () => {
    if (!/\.ya?ml$/.test(name)) return pageOfState(lab.stateOf(await folderOf(name, flags)).state);
    const description = lab.loadLabFile(name, flags.var ?? {});
    const profile = await (await import('../profiles.ts')).loadProfile(
      description.options.profile ?? 'reference',
    );
    return pageOfFile(name, description, (constant) => profile.constants[constant]?.value);
  };
  const page = renderLabPage(await data());
  try {
    writeFileSync(file, page);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      `--page: ${file} cannot be written (${code}); name a file in a folder that is there`,
    );
  }
}
