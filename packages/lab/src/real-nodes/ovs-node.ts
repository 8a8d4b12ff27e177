import { execFile } from 'node:child_process';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { OvsSettings } from '../lab-file/real-schema.ts';
import { isListeningAlone } from './listening.ts';
import { NodeFault, NodeProcess } from './node-process.ts';
import { type KnownProgram, OVS_SCHEMA, OVS_SWITCH, requireProgram } from './programs.ts';
import {
  LISTEN_TIMEOUT_MS,
  type NodePlace,
  type NodeRun,
  READY_TIMEOUT_MS,
  type RunningNode,
} from './running-node.ts';

const COMMAND_TIMEOUT_S = 15;
const LOOK_MS = 200;

/** What Open vSwitch on DPDK is told before it starts. */
export interface OvsStart {
  readonly memoryMiB: number;
  /** CPUs of the threads that poll the ports. */
  readonly cpus: readonly number[];
  readonly maxSleepUs: number;
  /** CPU of everything else. */
  readonly mainCpu: number;
}

/** The columns of the database that start DPDK, as `name=value` of `other_config`. */
export function ovsConfig({ memoryMiB, cpus, maxSleepUs, mainCpu }: OvsStart): string[] {
  const mask = (of: readonly number[]): string =>
    `0x${of.reduce((bits, cpu) => bits | (1n << BigInt(cpu)), 0n).toString(16)}`;
  const settings = {
    'dpdk-init': 'true',
    'dpdk-extra': `--no-pci --no-telemetry -m ${memoryMiB} --socket-limit ${memoryMiB}`,
    'dpdk-lcore-mask': mask([mainCpu]),
    'pmd-cpu-mask': mask(cpus),
    'pmd-maxsleep': String(maxSleepUs),
  };
  return Object.entries(settings).map(([name, value]) => `other_config:${name}="${value}"`);
}

/** Variables by which the programs of Open vSwitch find the files of one that is private to `folder`. */
export function ovsEnvironment(folder: string): Record<string, string> {
  return { OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder, OVS_SYSCONFDIR: folder };
}

/** Flows with the ports as links name them: `port0` is OpenFlow port 1. */
export function ovsFlow(flow: string): string {
  return flow.replaceAll(/\bport(\d)\b/g, (_, number: string) => String(Number(number) + 1));
}

/** A private Open vSwitch on DPDK: database and switch, the latter in a network namespace of its own, and one bridge. */
export class OvsNode implements RunningNode {
  main: NodeProcess | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly asks = [];
  readonly #settings: OvsSettings;
  readonly #place: NodePlace;
  #database: NodeProcess | undefined;

  constructor(settings: OvsSettings, place: NodePlace) {
    this.#settings = settings;
    this.#place = place;
    this.environment = ovsEnvironment(place.folder);
  }

  async start(stop: AbortSignal): Promise<void> {
    const { folder, log, name, allowedCpus, devices } = this.#place;
    const { memoryMiB, maxSleepUs, bridge, ports, flows } = this.#settings;
    const file = join(folder, 'conf.db');
    const socket = join(folder, 'db.sock');
    await this.#tool('ovsdb-tool', ['create', file, OVS_SCHEMA]);
    const database = await NodeProcess.start({
      what: `${name}: ovsdb-server`,
      program: requireProgram('ovsdb-server'),
      args: [`--remote=punix:${socket}`, `--unixctl=${join(folder, 'ovsdb.ctl')}`, '-vconsole:info', file],
      folder,
      log,
      env: this.environment,
    });
    this.#database = database;
    this.#place.onProcess(database);
    const listens =
      (path: string, { pid }: NodeProcess) =>
      () =>
        isListeningAlone(path, pid);
    await database.until(listens(socket, database), 'its database listens', stop, LISTEN_TIMEOUT_MS);
    const cpus = this.#settings.cpus ?? allowedCpus.slice(-1);
    await this.#vsctl(
      '--no-wait',
      '--',
      'init',
      '--',
      'set',
      'Open_vSwitch',
      '.',
      ...ovsConfig({ memoryMiB, cpus, maxSleepUs, mainCpu: allowedCpus[0] }),
    );
    const main = await NodeProcess.start({
      what: name,
      program: requireProgram(OVS_SWITCH),
      args: [
        '--disable-system',
        '--disable-system-route',
        `--unixctl=${join(folder, 'vswitchd.ctl')}`,
        '-vconsole:info',
        `unix:${socket}`,
      ],
      folder,
      log,
      env: this.environment,
      ownNetwork: true,
    });
    this.main = main;
    this.#place.onProcess(main);
    const hasDpdk = (): boolean => main.output().includes('DPDK Enabled - initialized');
    await main.until(hasDpdk, 'DPDK is initialised', stop, LISTEN_TIMEOUT_MS);
    await this.#vsctl('add-br', bridge, '--', 'set', 'bridge', bridge, 'datapath_type=netdev');
    if (flows !== undefined) {
      await this.#tool('ovs-ofctl', ['del-flows', bridge]);
      for (const flow of flows) await this.#tool('ovs-ofctl', ['add-flow', bridge, ovsFlow(flow)]);
    }
    for (const file of readdirSync(folder)) {
      if (statSync(join(folder, file)).isSocket()) chmodSync(join(folder, file), 0o600);
    }
    if (ports === 'dpdkvhostuserclient') return;
    await this.#addPorts();
    for (const device of devices) {
      await main.until(listens(device.socket, main), `${device.port} listens`, stop, LISTEN_TIMEOUT_MS);
    }
  }

  async join(): Promise<void> {
    if (this.#settings.ports === 'dpdkvhostuserclient') await this.#addPorts();
  }

  async ready(stop: AbortSignal): Promise<string> {
    const { main } = this;
    if (main === undefined) throw new Error('Open vSwitch was not started');
    for (const { port, peer } of this.#place.devices) {
      const isUp = async (): Promise<boolean> => {
        if ((await this.#vsctl('get', 'Interface', port, 'link_state')).trim() === 'up') return true;
        await delay(LOOK_MS);
        return false;
      };
      await main.until(isUp, `${peer} has started the rings of ${port}`, stop, READY_TIMEOUT_MS);
    }
    return 'database answers, rings are started';
  }

  run(): Promise<NodeRun> {
    throw new Error('a switch is asked for nothing');
  }

  async end(isLost: boolean): Promise<void> {
    await this.main?.end(isLost);
    await this.#database?.end(isLost);
  }

  async #addPorts(): Promise<void> {
    const { ports, queues, bridge } = this.#settings;
    for (const [index, { port, socket }] of this.#place.devices.entries()) {
      await this.#vsctl(
        'add-port',
        bridge,
        port,
        '--',
        'set',
        'Interface',
        port,
        `type=${ports}`,
        `ofport_request=${index + 1}`,
        `options:n_rxq=${queues}`,
        ...(ports === 'dpdkvhostuserclient' ? [`options:vhost-server-path=${socket}`] : []),
      );
    }
  }

  /** Runs ovs-vsctl, which waits until the switch has done what the database says. */
  #vsctl(...args: string[]): Promise<string> {
    return this.#tool('ovs-vsctl', [`--timeout=${COMMAND_TIMEOUT_S}`, ...args]);
  }

  async #tool(program: KnownProgram, args: readonly string[]): Promise<string> {
    try {
      const options = {
        env: { ...process.env, ...this.environment },
        timeout: (COMMAND_TIMEOUT_S + 5) * 1000,
      };
      return (await promisify(execFile)(requireProgram(program), args, options)).stdout;
    } catch (error) {
      const { stderr = '', message } = error as { stderr?: string; message: string };
      const said = stderr.trim().split('\n').at(-1) ?? '';
      throw new NodeFault(`${this.#place.name}: ${said === '' ? message : said}`);
    }
  }
}
