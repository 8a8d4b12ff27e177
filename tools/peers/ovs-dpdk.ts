import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ovsConfig, ovsEnvironment } from '@vhostlab/lab/real-nodes';
import { ensureHugePages } from './hugepages.ts';
import { PeerProcess, peerFolder, requireProgram } from './process.ts';

/** Open vSwitch with its userspace datapath on DPDK. */
export interface OvsDpdkOptions {
  /** Huge pages for its packet buffers; 160 by default. */
  readonly memoryMiB?: number;
  /** CPU of the thread that polls the ports; the last one by default. */
  readonly cpu?: number;
  /** How long the polling thread may sleep when there is nothing to do, in µs; 100 by default, 0 polls always. */
  readonly maxSleepUs?: number;
}

/** Counters of a port from the switch's view: what it received from the guest, and what it sent to it. */
export interface OvsPortStats {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxDropped: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDropped: number;
}

const SWITCH = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk';
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const BRIDGE = 'br0';
const COMMAND_TIMEOUT_S = 15;
const MIB = 1024 * 1024;

/**
 * Starts a private Open vSwitch: its own database and folder, its own network namespace, one bridge `br0` that learns
 * addresses. Needs root and huge pages; Open vSwitch runs DPDK only on huge pages.
 */
export async function ovsDpdk(options: OvsDpdkOptions = {}): Promise<OvsDpdk> {
  const memoryMiB = options.memoryMiB ?? 160;
  if (!ensureHugePages(memoryMiB * MIB)) {
    throw new Error(
      `Open vSwitch needs ${memoryMiB} MiB of huge pages: run as root, or raise vm.nr_hugepages`,
    );
  }
  const folder = peerFolder('ovs');
  const environment = ovsEnvironment(folder);
  const database = join(folder, 'conf.db');
  const socket = join(folder, 'db.sock');
  await run('ovsdb-tool', ['create', database, SCHEMA], environment);
  const server = await PeerProcess.start({
    name: 'ovsdb-server',
    program: 'ovsdb-server',
    folder,
    env: environment,
    args: [`--remote=punix:${socket}`, `--unixctl=${join(folder, 'ovsdb.ctl')}`, '-vconsole:info', database],
  });
  try {
    await server.waitForSocket(socket);
    const settings = ovsConfig({
      memoryMiB,
      cpus: [options.cpu ?? 1],
      maxSleepUs: options.maxSleepUs ?? 100,
      mainCpu: 0,
    });
    await run(
      'ovs-vsctl',
      ['--no-wait', '--', 'init', '--', 'set', 'Open_vSwitch', '.', ...settings],
      environment,
    );
    const control = join(folder, 'vswitchd.ctl');
    const daemon = await PeerProcess.start({
      name: 'ovs-vswitchd',
      program: SWITCH,
      folder,
      env: environment,
      network: 'own',
      args: [
        '--disable-system',
        '--disable-system-route',
        `--unixctl=${control}`,
        '-vconsole:info',
        `unix:${socket}`,
      ],
    });
    const ovs = new OvsDpdk(server, daemon, environment, control);
    try {
      await daemon.waitFor(/DPDK Enabled - initialized/);
      await ovs.vsctl('add-br', BRIDGE, '--', 'set', 'bridge', BRIDGE, 'datapath_type=netdev');
    } catch (error) {
      await ovs.stop();
      throw error;
    }
    return ovs;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A running private Open vSwitch. */
export class OvsDpdk {
  readonly server: PeerProcess;
  readonly daemon: PeerProcess;
  readonly bridge = BRIDGE;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #control: string;

  constructor(
    server: PeerProcess,
    daemon: PeerProcess,
    environment: Readonly<Record<string, string>>,
    control: string,
  ) {
    this.server = server;
    this.daemon = daemon;
    this.#environment = environment;
    this.#control = control;
  }

  /** The switch's process, whose threads move the packets. */
  get pid(): number {
    return this.daemon.pid;
  }

  /** Adds a port whose back end connects, again and again, to the socket on which a front end listens. */
  async addPort(name: string, socketPath: string, queues = 1): Promise<void> {
    await this.vsctl(
      'add-port',
      BRIDGE,
      name,
      '--',
      'set',
      'Interface',
      name,
      'type=dpdkvhostuserclient',
      `options:vhost-server-path=${socketPath}`,
      `options:n_rxq=${queues}`,
    );
  }

  async removePort(name: string): Promise<void> {
    await this.vsctl('del-port', BRIDGE, name);
  }

  /** A port's counters at this moment. */
  async portStats(name: string): Promise<OvsPortStats> {
    return parsePortCounters(await this.ofctl('dump-ports', BRIDGE, name));
  }

  /** Runs ovs-vsctl, which waits until the switch has done what the database says. */
  vsctl(...args: string[]): Promise<string> {
    return this.#run('ovs-vsctl', [`--timeout=${COMMAND_TIMEOUT_S}`, ...args]);
  }

  ofctl(...args: string[]): Promise<string> {
    return this.#run('ovs-ofctl', [`--timeout=${COMMAND_TIMEOUT_S}`, ...args]);
  }

  /** Runs ovs-appctl on the switch. */
  appctl(...args: string[]): Promise<string> {
    return this.#run('ovs-appctl', [`--timeout=${COMMAND_TIMEOUT_S}`, `--target=${this.#control}`, ...args]);
  }

  output(): string {
    return this.daemon.output();
  }

  /** Ends both daemons and removes their folder. Harmless when repeated. */
  async stop(): Promise<void> {
    await this.daemon.stop();
    await this.server.stop();
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    try {
      return await run(program, args, this.#environment);
    } catch (error) {
      throw this.daemon.error((error as Error).message);
    }
  }
}

/** Reads the counters that `ovs-ofctl dump-ports BRIDGE PORT` prints; a counter that a port lacks is 0. */
export function parsePortCounters(text: string): OvsPortStats {
  const side = (name: string) => {
    const line = new RegExp(`${name} pkts=(\\d+), bytes=(\\d+), drop=(\\d+|\\?)`).exec(text);
    if (line === null) throw new Error(`ovs-ofctl printed no ${name} counters:\n${text}`);
    return line.slice(1).map((value) => (value === '?' ? 0 : Number(value))) as [number, number, number];
  };
  const [rxPackets, rxBytes, rxDropped] = side('rx');
  const [txPackets, txBytes, txDropped] = side('tx');
  return { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped };
}

async function run(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await promisify(execFile)(requireProgram(program), args, {
    env: { ...process.env, ...environment },
    timeout: (COMMAND_TIMEOUT_S + 5) * 1000,
  });
  return stdout;
}
