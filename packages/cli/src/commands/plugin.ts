import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { type CommandModule, loadCommands } from '../load-commands.ts';

let modules: readonly CommandModule[] = [];
export let examples: NonNullable<CommandModule['examples']> = [];

/** Loads the commands of the group, or the one that is called. */
export async function prepare(words: readonly string[]): Promise<void> {
  modules = await loadCommands('plugin', words);
  examples = modules.flatMap((module) => module.examples ?? []);
}

/** Adds `vhostlab plugin`, the group of the commands in src/plugin/: one file each, listed nowhere else. */
export function register(program: Command, io: Io): void {
  const group = program
    .command('plugin')
    .description('back ends that others write: make, check, run and list them');
  for (const module of modules) module.register(group, io);
}
