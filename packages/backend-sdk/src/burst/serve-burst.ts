import { serveGrpc } from '@vhostlab/contracts';
import { cookieProblem, handshakeLine, LISTEN_NAME, STDIN_NAME } from '../handshake-line.ts';
import type { BurstPlugin } from './burst-plugin.ts';
import { implementBurstPlugin } from './burst-service.ts';

/**
 * Serves a burst plugin in a program of its own, until SIGTERM or the end of its host: checks that a host started it, listens where the host
 * wants, prints the handshake line on standard output and logs to standard error. Ends with status 2 when nobody but a
 * person started it.
 */
export async function serveBurstPlugin(plugin: BurstPlugin): Promise<void> {
  const problem = cookieProblem(process.env, plugin.name);
  if (problem !== null) {
    process.stderr.write(`${problem}\n`);
    process.exitCode = 2;
    return;
  }
  const server = await serveGrpc({
    listen: process.env[LISTEN_NAME] ?? '127.0.0.1:0',
    implementations: implementBurstPlugin(plugin, {
      instanceId: `${plugin.name}-${process.pid}`,
      processId: process.pid,
      log: (text) => void process.stderr.write(`${text}\n`),
    }),
    onFault: (method, error) =>
      void process.stderr.write(`${plugin.name}: ${method.name} failed: ${(error as Error).stack}\n`),
  });
  process.stdout.write(`${handshakeLine(server.address)}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    if (process.env[STDIN_NAME] !== undefined) {
      process.stdin.on('end', resolve).on('error', () => resolve());
      process.stdin.resume();
    }
  });
  process.stdin.destroy();
  await server.close(1000);
}
