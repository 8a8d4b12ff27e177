import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { loadCommands } from '../load-commands.ts';

const modules = await loadCommands('vhost-user');

export const examples = modules.flatMap((module) => module.examples ?? []);

/** Adds `vhostlab vhost-user`, the group of the commands in src/vhost-user/: one file each, listed nowhere else. */
export function register(program: Command, io: Io): void {
  const group = program
    .command('vhost-user')
    .description('real vhost-user on the real clock: peers, and tools between peers');
  for (const module of modules) module.register(group, io);
}
