import type { Command } from 'commander';
import type { Io } from '../io.ts';
import * as set from '../lab-link/set.ts';
import * as show from '../lab-link/show.ts';

export const examples = [...set.examples, ...show.examples];

/** Adds `vhostlab lab link`, a group of its own. */
export function register(group: Command, io: Io): void {
  const link = group.command('link').description('what the links of a lab do to their frames');
  set.register(link, io);
  show.register(link, io);
}
