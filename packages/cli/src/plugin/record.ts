import { type Command, InvalidArgumentError } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { addPluginPlace, type PlaceFlags, placeOf } from '../plugin-flags.ts';

const MIB = 1024 * 1024;

interface Flags extends PlaceFlags {
  listen: string;
  file: string;
  maxMib: number;
}

/** Adds `vhostlab plugin record`. */
export function register(group: Command, io: Io): void {
  addPluginPlace(group.command('record'))
    .description('stand between a host and a plugin and write every call down, until SIGTERM')
    .requiredOption('--listen <address>', 'where the host finds the plugin: unix:/path or HOST:PORT')
    .requiredOption('--file <path>', 'the recording; a new file')
    .option('--max-mib <n>', 'largest size of the recording in MiB', mebibytes, 256)
    .addHelpText(
      'after',
      '\nExample:\n  vhostlab plugin record --package . --listen unix:/tmp/p.sock --file wire.jsonl',
    )
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  const [kit, { AddressError }] = await Promise.all([
    import('@vhostlab/plugin-kit'),
    import('@vhostlab/contracts'),
  ]);
  const signal = io.interruptible();
  const plugin = await kit.openPlugin(await placeOf(flags));
  try {
    const writer = new kit.WireWriter(flags.file, plugin, flags.maxMib * MIB);
    const transport = kit.recordTransport(plugin.connect(), writer);
    try {
      const server = await kit.serveProxy(flags.listen, transport).catch((error: unknown) => {
        throw error instanceof AddressError ? new OperatorError(`--listen: ${error.message}`) : error;
      });
      io.out(`${plugin.name} listens on ${server.address}\n`);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await server.close(1000);
    } finally {
      transport.close();
      const { calls, events, not_recorded } = writer.close();
      io.out(`${flags.file}: ${calls} calls, ${events} events\n`);
      if (not_recorded > 0)
        io.err(`the recording was full: ${not_recorded} events are not in it; raise --max-mib\n`);
    }
  } finally {
    await plugin.close();
  }
}

function mebibytes(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1024) {
    throw new InvalidArgumentError('a whole number from 1 to 1024 is needed.');
  }
  return value;
}
