import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, lifecycleClient, runtimeV1 } from '@vhostlab/contracts';
import type { Progress } from '../run/process-runtime.ts';
import type { OpenLab } from './embedded.ts';
import { ROLES } from './registry.ts';
import type { Tracing } from './serve.ts';
import {
  EXIT_TIMEOUT_MS,
  LOST_EXIT_TIMEOUT_MS,
  type ServiceCommand,
  ServiceProcess,
  withLastWords,
} from './service-process.ts';

/**
 * Starts the four services as processes of their own on Unix sockets. A service that ends before `close` aborts
 * `lost`, whose reason names it. The processes end with this one, whatever way it ends: they watch their input.
 * Throws the reason of `signal` when that is aborted before all of them listen.
 */
export async function openProcessLab(
  tracing: Tracing,
  command: ServiceCommand,
  {
    signal,
    onProgress,
    plugins,
  }: {
    signal?: AbortSignal;
    onProgress?: (progress: Progress) => void;
    /** Where plugins are that the back-end service shall host besides the built-in back ends. */
    plugins?: readonly string[];
  } = {},
): Promise<OpenLab> {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-'));
  const lost = new AbortController();
  const running = ROLES.map(
    (role) =>
      new ServiceProcess(role, folder, command, (error) => lost.abort(error), {
        ...(role === 'backend' && plugins !== undefined ? { plugins } : {}),
      }),
  );
  const close = async (): Promise<void> => {
    const graceMs = lost.signal.aborted ? LOST_EXIT_TIMEOUT_MS : EXIT_TIMEOUT_MS;
    await Promise.all(running.map((service) => service.end(graceMs)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const stop = signal === undefined ? lost.signal : AbortSignal.any([lost.signal, signal]);
    await Promise.race([
      Promise.all(running.map((service) => service.ready(stop))),
      stop.aborted ? undefined : once(stop, 'abort'),
    ]);
    if (lost.signal.aborted) throw withLastWords(lost.signal.reason as Error, running);
    signal?.throwIfAborted();
  } catch (error) {
    await close();
    throw error;
  }
  const provider = tracing.providerFor('lab');
  const client = provider === undefined ? {} : { tracerProvider: provider };
  const processes = running.map(({ role, address, transport }) => ({
    name: role,
    services: [role],
    address,
    runtime: createClient(runtimeV1.RuntimeService, transport, client),
  }));
  return {
    placement: 'process',
    services: Object.fromEntries(
      ROLES.map((role, i) => [role, lifecycleClient(role, running[i].transport, client)]),
    ) as OpenLab['services'],
    processes,
    lost: lost.signal,
    ...(onProgress === undefined ? {} : { onProgress }),
    pids: Object.fromEntries(running.map(({ role, pid }) => [role, pid])),
    readSpans: () =>
      Promise.all(processes.map(async ({ runtime }) => (await runtime.readSpans({})).otlpJson)),
    close,
  };
}
