import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { loadCommands } from '../load-commands.ts';

const modules = await loadCommands('lab');

export const examples = modules.flatMap((module) => module.examples ?? []);

/** Adds `vhostlab lab`, the group of the commands in src/lab/: one file each, listed nowhere else. */
export function register(program: Command, io: Io): void {
  const group = program
    .command('lab')
    .description('labs that stay up: services in processes, containers and on other machines');
  for (const module of modules) module.register(group, io);
}
