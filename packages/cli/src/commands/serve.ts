import { Argument, type Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { VERSION } from '../version.ts';

const ROLES = ['guest', 'backend', 'switch', 'nic'] as const;

export const examples = [
  ['vhostlab serve nic --listen 127.0.0.1:7004', 'one service as a process of its own'],
] as const;

/** Adds `vhostlab serve`. */
export function register(program: Command, io: Io): void {
  program
    .command('serve')
    .description('serve one of the four services over gRPC, with health and reflection, until SIGTERM')
    .addArgument(new Argument('<service>', 'which service').choices(ROLES))
    .requiredOption('--listen <address>', 'HOST:PORT, [IPV6]:PORT or unix:/path')
    .option('--exit-with-stdin', 'end when standard input ends (for a parent process)')
    .addHelpText('after', '\nExample:\n  vhostlab serve backend --listen unix:/tmp/backend.sock')
    .action(async (role: (typeof ROLES)[number], options: { listen: string; exitWithStdin?: boolean }) => {
      await serve(io, role, options.listen, options.exitWithStdin === true);
    });
}

async function serve(
  io: Io,
  role: (typeof ROLES)[number],
  listen: string,
  exitWithStdin: boolean,
): Promise<void> {
  const [{ AddressError, serveGrpc }, { hostServices }, { startTracing }] = await Promise.all([
    import('@vhostlab/contracts'),
    import('@vhostlab/lab'),
    import('../tracing.ts'),
  ]);
  const instanceId = `${role}-${process.pid}`;
  const tracing = startTracing(role, instanceId, VERSION);
  const { logger } = tracing.telemetry;
  const stop = new AbortController();
  const hosted = hostServices([role], {
    instanceId,
    processId: process.pid,
    tracing,
    exit: () => stop.abort(),
  });
  const server = await serveGrpc({
    listen,
    implementations: hosted.implementations,
    onFault: (method, error) => logger.error({ method: method.name, err: error }, 'a call failed'),
  }).catch(async (error: unknown) => {
    await tracing.telemetry.shutdown();
    throw error instanceof AddressError ? new OperatorError(`--listen: ${error.message}`) : error;
  });
  io.out(`vhostlab ${role} listens on ${server.address}\n`);
  logger.info({ address: server.address }, 'listening');
  const signal = io.interruptible();
  if (exitWithStdin) {
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
  await tracing.telemetry.shutdown();
  process.stdin.destroy();
}
