import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Command } from 'commander';
import { EXIT_CODES } from './exit-codes.ts';
import type { Io } from './io.ts';
import { VERSION } from './version.ts';

/** What every file of src/commands/ exports: one command, registered on the program. */
export interface CommandModule {
  /**
   * Adds the command with its options and action. Import heavy packages inside the action, not at the top of the
   * file: every command is registered at every start. Use `program.command(…)`, which inherits how errors of usage
   * end; an action that fails throws (errors.ts says which error ends in which exit status).
   */
  register(program: Command, io: Io): void;
  /** Command lines for the examples of `vhostlab --help`, each with what it does. */
  readonly examples?: readonly (readonly [commandLine: string, meaning: string])[];
}

/** The program with every command of src/commands/. Errors of usage are thrown as CommanderError, never exit. */
export async function createProgram(io: Io): Promise<Command> {
  const program = new Command('vhostlab')
    .description('A virtio-networking testbed: the same packets over vhost-net, vhost-user, vfio and vDPA.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'vhostlab: ')),
    })
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride();
  const modules = await loadCommands();
  for (const module of modules) {
    module.register(program, io);
  }
  return program.addHelpText('after', rootHelp(modules));
}

async function loadCommands(): Promise<CommandModule[]> {
  const folder = join(import.meta.dirname, 'commands');
  const extension = extname(import.meta.filename);
  const names = (await readdir(folder)).filter((name) => extname(name) === extension).sort();
  return Promise.all(names.map(async (name) => (await import(join(folder, name))) as CommandModule));
}

function rootHelp(modules: readonly CommandModule[]): string {
  const examples = modules.flatMap((module) => module.examples ?? []);
  const width = Math.max(0, ...examples.map(([commandLine]) => commandLine.length));
  return [
    '',
    'Examples:',
    ...examples.map(([commandLine, meaning]) => `  ${commandLine.padEnd(width)}  ${meaning}`),
    '',
    'Exit status:',
    ...EXIT_CODES.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
    '',
    'LOG_LEVEL=debug prints the stack of an error.',
  ].join('\n');
}
