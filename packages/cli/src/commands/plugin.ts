import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { loadCommands } from '../load-commands.ts';

const modules = await loadCommands('plugin');

export const examples = modules.flatMap((module) => module.examples ?? []);

/** Adds `vhostlab plugin`, the group of the commands in src/plugin/: one file each, listed nowhere else. */
export function register(program: Command, io: Io): void {
  const group = program
    .command('plugin')
    .description('back ends that others write: make, check, run and list them');
  for (const module of modules) module.register(group, io);
}
