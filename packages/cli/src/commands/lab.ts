import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { type CommandModule, loadCommands } from '../load-commands.ts';

let modules: readonly CommandModule[] = [];
export let examples: NonNullable<CommandModule['examples']> = [];

/** Loads the commands of the group, or the one that is called. */
export async function prepare(words: readonly string[]): Promise<void> {
  modules = await loadCommands('lab', words);
  examples = modules.flatMap((module) => module.examples ?? []);
}

/** Adds `vhostlab lab`, the group of the commands in src/lab/: one file each, listed nowhere else. */
export function register(program: Command, io: Io): void {
  const group = program
    .command('lab')
    .description('labs that stay up: services in processes, containers and on other machines');
  for (const module of modules) module.register(group, io);
}
