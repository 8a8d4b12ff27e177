import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { VERSION } from '../version.ts';

interface Flags {
  package: string;
  listen: string;
}

/** Adds `vhostlab plugin run`. */
export function register(group: Command, io: Io): void {
  group
    .command('run')
    .description('serve a plugin over gRPC, with health, reflection and tracing, until SIGTERM')
    .requiredOption('--package <folder>', 'folder of the plugin, with vhostlab-plugin.json')
    .option('--listen <address>', 'HOST:PORT, [IPV6]:PORT or unix:/path', '127.0.0.1:0')
    .addHelpText('after', '\nExample:\n  vhostlab plugin run --package . --listen unix:/tmp/my-plugin.sock')
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, { package: folder, listen }: Flags): Promise<void> {
  const kit = await import('@vhostlab/plugin-kit');
  const manifest = kit.readManifest(folder);
  const signal = io.interruptible();
  if (manifest.command !== undefined) {
    const { address, close, words } = await kit.launch(manifest, { listen });
    io.out(`${manifest.name} listens on ${address}\n`);
    await aborted(signal);
    await close();
    io.err(words());
    return;
  }
  const [{ AddressError, serveGrpc }, { startTracing }, plugin] = await Promise.all([
    import('@vhostlab/contracts'),
    import('../tracing.ts'),
    kit.importPlugin(manifest),
  ]);
  const { telemetry, providerFor } = startTracing(plugin.name, `${plugin.name}-${process.pid}`, VERSION);
  const { logger } = telemetry;
  const hosted = kit.hostDevicePlugin(plugin, {
    log: (text) => logger.warn(text),
    tracerProvider: providerFor(plugin.name),
  });
  const server = await serveGrpc({
    listen,
    implementations: hosted.implementations,
    onFault: (method, error) => logger.error({ method: method.name, err: error }, 'a call failed'),
  }).catch(async (error: unknown) => {
    await telemetry.shutdown();
    throw error instanceof AddressError ? new OperatorError(`--listen: ${error.message}`) : error;
  });
  io.out(`${plugin.name} listens on ${server.address}\n`);
  await aborted(signal);
  hosted.close();
  await server.close(1000);
  await telemetry.shutdown();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
