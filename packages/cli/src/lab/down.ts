import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addLabsOption, folderOf, type LabFlags } from '../lab-options.ts';

interface DownFlags extends LabFlags {
  cleanup?: boolean;
}

/** Adds `vhostlab lab down`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('down')
    .description('end a lab: its run, its services, its process; what others run is left alone')
    .argument('<lab>', 'name of the lab, or its file')
    .option('--cleanup', 'remove its folder as well, with what its runs left');
  addLabsOption(command).action((name: string, flags: DownFlags) => down(io, name, flags));
}

async function down(io: Io, name: string, flags: DownFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const folder = await folderOf(name, flags);
  const { state, isUp } = lab.stateOf(folder);
  const owner = folder.owner();
  if (isUp && owner !== undefined) {
    const { client, close } = lab.connectToLab(state);
    const { actions } = await client.down({}, { timeoutMs: 30_000 }).finally(close);
    // the process goes on for a moment after its answer
    while (lab.startOf(owner.pid) === owner.started) await new Promise((resolve) => setTimeout(resolve, 10));
    io.out(`${[...actions, `lab ${state.name} is down`].join('\n')}\n`);
  } else {
    const isContained = state.nodes.some(({ container }) => container !== undefined);
    const left = isContained ? await lab.removeLeftContainers(folder) : 0;
    io.out(
      `lab ${state.name} is down already${left === 0 ? '' : `; removed the ${left} containers that it left`}\n`,
    );
  }
  if (flags.cleanup === true) rmSync(folder.path, { recursive: true, force: true });
}
