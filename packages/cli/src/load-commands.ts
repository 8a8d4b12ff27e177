import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import type { Io } from './io.ts';

/** What every file of a folder of commands exports: one command, registered on the program or on its group. */
export interface CommandModule {
  /**
   * Adds the command with its options and action. Import heavy packages inside the action, not at the top of the
   * file: every command is registered at every start. Use `parent.command(…)`, which inherits how errors of usage
   * end; an action that fails throws (errors.ts says which error ends in which exit status).
   */
  register(parent: Command, io: Io): void;
  /** A group loads its commands here, before it is registered; `words` follow its name on the command line. */
  prepare?(words: readonly string[]): Promise<void>;
  /** Command lines for the examples of `--help`, each with what it does. */
  readonly examples?: readonly (readonly [commandLine: string, meaning: string])[];
}

/**
 * The modules of a folder beside this file, by name; none when there is no such folder. `words` is what follows on the
 * command line: when it begins with a command of the folder, that one alone is loaded, and what it needs of the rest.
 */
export async function loadCommands(name: string, words: readonly string[]): Promise<CommandModule[]> {
  const folder = join(import.meta.dirname, name);
  if (!existsSync(folder)) return [];
  const extension = extname(import.meta.filename);
  const names = (await readdir(folder)).filter((file) => extname(file) === extension).sort();
  const only = names.filter((file) => basename(file, extension) === words[0]);
  return Promise.all(
    (only.length === 1 ? only : names).map(async (file) => {
      const module = (await import(join(folder, file))) as CommandModule;
      await module.prepare?.(only.length === 1 ? words.slice(1) : []);
      return module;
    }),
  );
}
