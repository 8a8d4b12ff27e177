import { Argument, type Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { keepOption } from '../plugin-flags.ts';
import { startServiceTracing } from '../service-tracing.ts';

const PARTS = ['guest', 'backend', 'switch', 'nic', 'station'] as const;

export const examples = [
  ['vhostlab serve nic --listen 127.0.0.1:7004', 'one service as a process of its own'],
] as const;

/** Adds `vhostlab serve`. */
export function register(program: Command, io: Io): void {
  program
    .command('serve')
    .description(
      'serve one of the four services, or the station alone, over gRPC, with health and reflection, until SIGTERM',
    )
    .addArgument(new Argument('<service>', 'which service').choices(PARTS))
    .requiredOption('--listen <address>', 'HOST:PORT, [IPV6]:PORT or unix:/path')
    .option('--token-file <file>', 'secret of the lab: calls without it are refused')
    .option('--tls <dir>', 'ca.crt, tls.crt and tls.key of this service, which TCP off loopback needs')
    .option(
      '--plugin <place>',
      'backend: a plugin of your own, in place of the built-in back ends; repeat for more',
      (place: string, before: string[] = []) => [...before, place],
    )
    .option('--option <name=value>', 'an option of the only plugin; repeat for more', keepOption, {})
    .option('--with-built-in', 'backend: host the built-in back ends besides the plugins')
    .option(
      '--spans',
      'keep spans for whoever asks for them; without it they are made for an OTLP endpoint only',
    )
    .option('--exit-with-stdin', 'end when standard input ends (for a parent process)')
    .addHelpText('after', '\nExample:\n  vhostlab serve backend --listen unix:/tmp/backend.sock')
    .action((role: (typeof PARTS)[number], flags: ServeFlags) => serve(io, role, flags));
}

interface ServeFlags {
  listen: string;
  tokenFile?: string;
  tls?: string;
  plugin?: string[];
  withBuiltIn?: boolean;
  option: Record<string, unknown>;
  spans?: boolean;
  exitWithStdin?: boolean;
}

async function serve(io: Io, role: (typeof PARTS)[number], flags: ServeFlags): Promise<void> {
  const { listen, tokenFile, tls } = flags;
  const [{ AddressError, createGrpcTransport, loadSecurity, serveGrpc }, { hostParts, loadService }] =
    await Promise.all([import('@vhostlab/contracts'), import('@vhostlab/lab/serve')]);
  const plugin = await openPlugged(role, flags);
  const service = await loadService(
    role,
    plugin === undefined
      ? undefined
      : { definitions: plugin.devices, withBuiltIn: flags.withBuiltIn === true },
  );
  const instanceId = `${role}-${process.pid}`;
  const { tracing, logger, shutdown } = await startServiceTracing(role, instanceId, flags.spans === true);
  const stop = new AbortController();
  const refuse = (error: unknown): unknown =>
    error instanceof AddressError ? new OperatorError(`--listen: ${error.message}`) : error;
  let security: ReturnType<typeof loadSecurity>;
  try {
    security = loadSecurity({
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(tls === undefined ? {} : { tlsFolder: tls }),
    });
  } catch (error) {
    await shutdown();
    throw error instanceof AddressError ? new OperatorError(error.message) : error;
  }
  const hosted = hostParts([role], service, {
    instanceId,
    processId: process.pid,
    tracing,
    exit: () => stop.abort(),
    connect: (address, peer) => createGrpcTransport(address, { security, serverName: peer }),
  });
  const server = await serveGrpc({
    listen,
    implementations: hosted.implementations,
    security,
    onFault: (method, error) => logger.error({ method: method.name, err: error }, 'a call failed'),
  }).catch(async (error: unknown) => {
    await shutdown();
    throw refuse(error);
  });
  io.out(`vhostlab ${role} listens on ${server.address}\n`);
  logger.info({ address: server.address }, 'listening');
  const signal = io.interruptible();
  if (flags.exitWithStdin === true) {
    process.stdin.on('end', () => stop.abort()).on('error', () => stop.abort());
    process.stdin.resume();
  }
  await new Promise<void>((resolve) => {
    for (const source of [signal, stop.signal])
      source.addEventListener('abort', () => resolve(), { once: true });
  });
  logger.info('draining');
  hosted.runtime.close();
  await server.close(1000);
  await shutdown();
  await plugin?.close();
  process.stdin.destroy();
}

/** Plugins that the service hosts; undefined: the built-in back ends alone. */
async function openPlugged(role: string, { plugin: places, option }: ServeFlags) {
  if (places === undefined) return undefined;
  if (role !== 'backend') throw new OperatorError('--plugin: only the backend service hosts plugins');
  const { configured, openPlaces } = await import('@vhostlab/plugin-kit');
  const { plugins, close } = await openPlaces(places);
  const devices = [...plugins.values()];
  const [only] = devices;
  if (Object.keys(option).length === 0) return { devices, close };
  try {
    if (only === undefined || devices.length > 1) {
      throw new OperatorError('--option: there are several plugins; a lab file gives each its options');
    }
    return { devices: [configured(only, option)], close };
  } catch (error) {
    await close();
    throw error;
  }
}
