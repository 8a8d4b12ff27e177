import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createClient,
  createGrpcTransport,
  lifecycleClient,
  type Role,
  runtimeV1,
  type Transport,
} from '@vhostlab/contracts';
import type { Progress } from '../run/process-runtime.ts';
import type { OpenLab } from './embedded.ts';
import { ROLES } from './registry.ts';
import type { Tracing } from './serve.ts';

/** A service process ended or could not be reached; the run is incomplete. */
export class ServiceLostError extends Error {
  override readonly name = 'ServiceLostError';
  readonly exitCode = 3;
}

/** How a service process is started: program and arguments that make it listen at `address`. */
export type ServiceCommand = (role: Role, address: string) => { file: string; args: string[] };

/** Enough for a machine that is busy with other things; loading a service takes about a second of its own. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
/** How long a process may drain; less when the run is lost anyway. */
const EXIT_TIMEOUT_MS = 2_000;
const LOST_EXIT_TIMEOUT_MS = 300;
const LAST_WORDS_BYTES = 2_000;

interface Service {
  role: Role;
  child: ChildProcess;
  socket: string;
  transport: Transport;
  lastWords: string;
}

/**
 * Starts the four services as processes of their own on Unix sockets. A service that ends before `close` aborts
 * `lost`, whose reason names it. The processes end with this one, whatever way it ends: they watch their input.
 * Throws the reason of `signal` when that is aborted before all of them listen.
 */
export async function openProcessLab(
  tracing: Tracing,
  command: ServiceCommand,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<OpenLab> {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-'));
  const lost = new AbortController();
  let closing = false;
  const running: Service[] = ROLES.map((role) => {
    const socket = join(folder, `${role}.sock`);
    const address = `unix:${socket}`;
    const transport = createGrpcTransport(address);
    const { file, args } = command(role, address);
    // a group of its own: a terminal's Ctrl-C goes to the lab alone, which then ends its services in order
    const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
    const service: Service = { role, child, socket, transport, lastWords: '' };
    child.stderr?.on('data', (data: Buffer) => {
      service.lastWords = (service.lastWords + data.toString()).slice(-LAST_WORDS_BYTES);
    });
    child.stdin?.on('error', () => undefined);
    const onEnd = (how: string): void => {
      if (!closing)
        lost.abort(
          new ServiceLostError(`service ${role} (process ${child.pid ?? '?'}) ${how}; the run is incomplete`),
        );
    };
    child.on('error', (error) => onEnd(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) =>
      onEnd(signal === null ? `ended with status ${code}` : `was ended by ${signal}`),
    );
    return service;
  });
  const close = async (): Promise<void> => {
    closing = true;
    for (const { transport } of running) transport.close();
    const graceMs = lost.signal.aborted ? LOST_EXIT_TIMEOUT_MS : EXIT_TIMEOUT_MS;
    await Promise.all(running.map(({ child }) => endProcess(child, graceMs)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const stop = signal === undefined ? lost.signal : AbortSignal.any([lost.signal, signal]);
    await Promise.race([
      Promise.all(running.map((service) => whenReady(service, stop))),
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
  const processes = running.map(({ role, socket, transport }) => ({
    name: role,
    services: [role],
    address: `unix:${socket}`,
    runtime: createClient(runtimeV1.RuntimeService, transport, client),
  }));
  return {
    placement: 'process',
    services: Object.fromEntries(
      running.map(({ role, transport }) => [role, lifecycleClient(role, transport, client)]),
    ) as OpenLab['services'],
    processes,
    lost: lost.signal,
    ...(onProgress === undefined ? {} : { onProgress }),
    pids: Object.fromEntries(running.map(({ role, child }) => [role, child.pid ?? 0])),
    readSpans: () =>
      Promise.all(processes.map(async ({ runtime }) => (await runtime.readSpans({})).otlpJson)),
    close,
  };
}

/** Connects when the socket is there: a first attempt that fails would make gRPC wait a second and longer. */
async function whenReady({ role, socket, transport }: Service, stop: AbortSignal): Promise<void> {
  const until = Date.now() + READY_TIMEOUT_MS;
  while (!existsSync(socket)) {
    if (stop.aborted) return;
    if (Date.now() >= until) {
      throw new ServiceLostError(`service ${role} did not listen within ${READY_TIMEOUT_MS / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await transport.ready(Math.max(1, until - Date.now()));
}

function withLastWords(error: Error, running: readonly Service[]): Error {
  const words = running.map(({ lastWords }) => lastWords.trim()).find((text) => text !== '');
  return words === undefined ? error : new ServiceLostError(`${error.message}: ${words.split('\n').at(-1)}`);
}

/** Ends a process: closing its input asks it to, SIGKILL makes sure (a stopped process ends too). */
async function endProcess(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.stdin?.end();
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
}
