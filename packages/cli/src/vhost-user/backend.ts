import type { GrpcServer, Security } from '@vhostlab/contracts';
import type { Backend, BackendOptions, QueueSnapshot } from '@vhostlab/vhost-device';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { OperatorError } from '../errors.ts';
import { openExternal } from '../external-plugin.ts';
import { type Io, SUPERVISED } from '../io.ts';
import { linkTable } from '../link-table.ts';
import { keepOption } from '../plugin-flags.ts';
import { statisticsTable } from '../vhost-user-statistics.ts';

const NS_PER_S = 1e9;

interface Flags {
  socketPath: string[];
  fd?: number;
  client?: boolean;
  queues: number;
  queueSize: number;
  workers: number;
  cpus: number[];
  mode: BackendOptions['mode'];
  port: string;
  flow: string[];
  plugin?: string;
  option: Record<string, unknown>;
  without: string[];
  mtu: number;
  stats?: number | true;
  listen?: string;
  messages?: boolean;
  supervise: boolean;
  tls?: string;
  tokenFile?: string;
  printCapabilities?: boolean;
  json?: boolean;
}

export const examples = [
  [
    'vhostlab vhost-user backend --socket-path /tmp/vu.sock --port echo',
    'a back end for QEMU, DPDK or our own guest',
  ],
] as const;

/** Adds `vhostlab vhost-user backend`. */
export function register(group: Command, io: Io): void {
  group
    .command('backend')
    .description('serve a virtio-net device to a vhost-user front end, until SIGTERM')
    .option('--socket-path <path>', 'socket to listen at; several: one device each', collect, [])
    .option('--fd <n>', 'use this inherited, connected socket', integer)
    .option('--client', 'connect to a front end that listens, and again when it goes away')
    .option('--queues <n>', 'queue pairs of a device', integer, 1)
    .option('--queue-size <n>', 'largest ring, in descriptors', integer, 1024)
    .option('--workers <n>', 'threads that move frames', integer, 1)
    .option('--cpus <list>', 'CPUs of the workers in turn, such as 2,3', integers, [])
    .addOption(
      new Option('--mode <mode>', 'how workers wait for work')
        .choices(['poll', 'interrupt', 'adaptive'])
        .default('poll'),
    )
    .option(
      '--port <port>',
      'what is behind the rings: drop, echo, macswap, generate[:size=64,rate=unpaced], pcap:FILE, pcap:out=FILE,in=FILE,rate=1Mpps, tap:NAME, link:HOST:PORT, link:listen=HOST:PORT, switch[:plugin=sw-vdpa,tso=on]',
      'drop',
    )
    .option(
      '--flow <flow>',
      'a flow of the switch as ovs-ofctl writes it, guests are guest0, guest1, …; several. None: it learns',
      collect,
      [],
    )
    .option(
      '--plugin <place>',
      'a plugin of your own in front of the guests: its folder, or where a burst plugin listens',
    )
    .option('--option <name=value>', 'an option of the plugin; repeat for more', keepOption, {})
    .option('--without <features>', 'features that are not offered, such as RING_PACKED,IN_ORDER', names, [])
    .option('--mtu <bytes>', 'MTU that the configuration shows', integer, 1500)
    .option('--stats [seconds]', 'print statistics of every queue, every second or so', integer)
    .option('--listen <address>', 'serve the statistics over gRPC: HOST:PORT, [IPV6]:PORT or unix:/path')
    .option(
      '--tls <folder>',
      'with --port link: certificates of vhostlab lab certs, for addresses off loopback',
    )
    .option('--token-file <file>', 'with --port link: token that both ends must have')
    .option('--messages', 'print every message')
    .option('--no-supervise', 'end when a peer truncates its memory, in place of starting again')
    .option(
      '--print-capabilities',
      'print what this program is, as JSON, and end (QEMU, "Backend program conventions")',
    )
    .option('--json', 'print the final statistics as one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  vhostlab vhost-user backend --socket-path /tmp/vu.sock --port tap:vm0 --mode interrupt',
    )
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  if (flags.printCapabilities === true) {
    io.out(`${JSON.stringify({ type: 'net', features: [] })}\n`);
    return;
  }
  const device = await import('@vhostlab/vhost-device');
  const options = backendOptions(flags, device, await securityOf(flags));
  const problem = device.checkBackendOptions(options);
  if (problem !== null) throw new OperatorError(problem);
  if (flags.supervise && io.env[SUPERVISED] === undefined) {
    process.exitCode = await superviseSelf(io, flags.fd, device.supervise);
    return;
  }
  const plugin = flags.plugin === undefined ? undefined : await openExternal(flags.plugin, flags.option);
  try {
    const port =
      plugin === undefined
        ? options.port
        : { kind: 'switch' as const, tso: false, external: plugin.external };
    await serve(
      io,
      flags,
      await start(io, { ...options, port }, flags.messages === true, device.startBackend),
    );
  } finally {
    await plugin?.close();
  }
}

function backendOptions(
  flags: Flags,
  device: typeof import('@vhostlab/vhost-device'),
  security: Security,
): BackendOptions {
  const { fd, client = false, queues, queueSize, workers, cpus, mode, flow, without, mtu } = flags;
  try {
    return {
      ...device.DEFAULT_BACKEND_OPTIONS,
      sockets: flags.socketPath,
      ...(fd === undefined ? {} : { fd: io3(fd) }),
      client,
      queuePairs: queues,
      queueSize,
      workers,
      cpus,
      mode,
      port: device.parsePortSpec(flags.plugin === undefined ? flags.port : 'switch'),
      security,
      flows: flow,
      without,
      mtuBytes: mtu,
    };
  } catch (error) {
    throw error instanceof RangeError ? new OperatorError(error.message) : error;
  }
}

/** Token and certificates of a link. */
async function securityOf({ tls, tokenFile }: Flags): Promise<Security> {
  if (tls === undefined && tokenFile === undefined) return {};
  const { AddressError, loadSecurity } = await import('@vhostlab/contracts');
  try {
    return loadSecurity({
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(tls === undefined ? {} : { tlsFolder: tls }),
    });
  } catch (error) {
    throw error instanceof AddressError ? new OperatorError(error.message) : error;
  }
}

/** The supervisor hands the inherited socket on as descriptor 3. */
function io3(fd: number): number {
  return process.env[SUPERVISED] === undefined ? fd : 3;
}

function superviseSelf(
  io: Io,
  fd: number | undefined,
  supervise: typeof import('@vhostlab/vhost-device')['supervise'],
): Promise<number> {
  return supervise({
    command: process.execPath,
    args: [...process.execArgv, ...process.argv.slice(1)],
    env: { [SUPERVISED]: '1' },
    fds: fd === undefined ? [] : [fd],
    log: (line) => io.err(`vhostlab: ${line}\n`),
    signal: io.interruptible(),
  });
}

async function start(
  io: Io,
  options: BackendOptions,
  messages: boolean,
  startBackend: typeof import('@vhostlab/vhost-device')['startBackend'],
): Promise<Backend> {
  try {
    const log = { line: (text: string) => io.err(`${text}\n`), messages };
    const backend = await startBackend(options, log);
    const where = options.sockets.length === 0 ? `descriptor ${options.fd}` : options.sockets.join(', ');
    io.err(`vhostlab back end ${options.client ? 'connects to' : 'listens at'} ${where}\n`);
    return backend;
  } catch (error) {
    throw isSystemError(error) || (error as Error).name === 'AddressError'
      ? new OperatorError((error as Error).message)
      : error;
  }
}

async function serve(io: Io, flags: Flags, backend: Backend): Promise<void> {
  const { latencyText } = await import('@vhostlab/vhost-device');
  const signal = io.interruptible();
  let before = backend.statistics.snapshot();
  const everyS = flags.stats === true ? 1 : flags.stats;
  const timer =
    everyS === undefined
      ? undefined
      : setInterval(() => {
          const now = backend.statistics.snapshot();
          io.err(statisticsTable(now, before, everyS));
          if (backend.link !== undefined) io.err(linkTable(backend.link.statistics.snapshot(), latencyText));
          before = now;
        }, everyS * 1000);
  const startedNs = process.hrtime.bigint();
  const interrupted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  let server: GrpcServer | undefined;
  try {
    server = flags.listen === undefined ? undefined : await serveStatistics(flags.listen, backend);
    await Promise.race([interrupted, backend.ended]);
  } finally {
    clearInterval(timer);
    await server?.close(0);
    await backend.stop();
  }
  if (backend.link !== undefined) io.err(linkTable(backend.link.statistics.snapshot(), latencyText));
  if (flags.json === true) {
    const seconds = Number(process.hrtime.bigint() - startedNs) / NS_PER_S;
    io.out(
      `${JSON.stringify({
        clock: 'real',
        seconds,
        queues: backend.statistics.snapshot() satisfies QueueSnapshot[],
        ...(backend.link === undefined ? {} : { link: backend.link.statistics.snapshot() }),
      })}\n`,
    );
  }
}

async function serveStatistics(listen: string, backend: Backend): Promise<GrpcServer> {
  const [{ AddressError, serveGrpc }, { statisticsService }] = await Promise.all([
    import('@vhostlab/contracts'),
    import('@vhostlab/vhost-device'),
  ]);
  return serveGrpc({ listen, implementations: [statisticsService(backend)] }).catch((error: unknown) => {
    throw error instanceof AddressError ? new OperatorError(`--listen: ${error.message}`) : error;
  });
}

/** A socket, tap or file that is not there or not allowed: the operator's to mend. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function names(value: string): string[] {
  return value.split(',').filter((name) => name !== '');
}

function integer(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('a whole number is needed');
  return Number(value);
}

function integers(value: string): number[] {
  return names(value).map(integer);
}
