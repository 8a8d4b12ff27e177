import { Command } from 'commander';
import { EXIT_CODES } from './exit-codes.ts';
import type { Io } from './io.ts';
import { type CommandModule, loadCommands } from './load-commands.ts';
import { VERSION } from './version.ts';

/**
 * The program with the commands of src/commands/: all of them, or the one that `words` begin with. Errors of usage are
 * thrown as CommanderError, never exit.
 */
export async function createProgram(io: Io, words: readonly string[] = []): Promise<Command> {
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
  const modules = await loadCommands('commands', words);
  for (const module of modules) {
    module.register(program, io);
  }
  return program.addHelpText('after', rootHelp(modules));
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
