import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { loadCommands } from '../load-commands.ts';

const modules = await loadCommands('lab-link');

export const examples = modules.flatMap((module) => module.examples ?? []);

/** Adds `vhostlab lab link`, the group of the commands in src/lab-link/: one file each, listed nowhere else. */
export function register(group: Command, io: Io): void {
  const link = group.command('link').description('what the links of a lab do to their frames');
  for (const module of modules) module.register(link, io);
}
