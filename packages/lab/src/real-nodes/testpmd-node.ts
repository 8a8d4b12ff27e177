import { setTimeout as delay } from 'node:timers/promises';
import type { TestpmdSettings } from '../lab-file/real-schema.ts';
import { isListeningAlone } from './listening.ts';
import { NodeProcess } from './node-process.ts';
import { requireProgram } from './programs.ts';
import { macAddress } from './qemu-arguments.ts';
import {
  LISTEN_TIMEOUT_MS,
  type NodePlace,
  type NodeRun,
  READY_TIMEOUT_MS,
  type RunningNode,
} from './running-node.ts';
import {
  netVhostDevice,
  type PortCounters,
  parsePortStats,
  testpmdArguments,
  virtioUserDevice,
} from './testpmd-arguments.ts';

const LOOK_MS = 100;
const COMMAND_TIMEOUT_MS = 30_000;
const NO_END_MS = 24 * 3600 * 1000;

/** DPDK's testpmd: front ends (virtio-user) or back ends (net_vhost) between which it forwards. */
export class TestpmdNode implements RunningNode {
  main: NodeProcess | undefined;
  readonly environment = {};
  readonly asks: readonly string[];
  readonly #settings: TestpmdSettings;
  readonly #place: NodePlace;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: TestpmdSettings, place: NodePlace) {
    this.#settings = settings;
    this.#place = place;
    const { frames, forward } = settings;
    this.asks =
      frames === undefined ? [] : [`${frames} frames ${forward === 'txonly' ? 'sent' : 'received'}`];
  }

  async start(stop: AbortSignal): Promise<void> {
    const { folder, log, name, devices } = this.#place;
    const main = await NodeProcess.start({
      what: name,
      program: requireProgram('dpdk-testpmd'),
      args: this.#arguments(),
      folder,
      log,
      isLineBuffered: true,
    });
    this.main = main;
    this.#place.onProcess(main);
    for (const { socket } of devices.filter(({ listens }) => listens)) {
      await main.until(
        () => isListeningAlone(socket, main.pid),
        'its socket listens',
        stop,
        LISTEN_TIMEOUT_MS,
      );
    }
  }

  async join(): Promise<void> {
    // a client connects by itself
  }

  async ready(stop: AbortSignal): Promise<string> {
    const { main } = this;
    if (main === undefined) throw new Error('testpmd was not started');
    await this.#type('sync', stop, READY_TIMEOUT_MS);
    if (/Bus \(vdev\) probe failed|Start ports failed/.test(main.output())) {
      throw main.fault('refused a device');
    }
    if (this.#settings.device === 'virtio-user') return 'prompt answers, its rings are set up';
    for (const [index, { port, peer }] of this.#place.devices.entries()) {
      const isUp = async (): Promise<boolean> => {
        const text = await this.#type(`show port info ${index}`, stop, COMMAND_TIMEOUT_MS);
        if (/Link status: up/.test(text)) return true;
        await delay(LOOK_MS);
        return false;
      };
      await main.until(isUp, `${peer} has started the rings of ${port}`, stop, READY_TIMEOUT_MS);
    }
    return 'prompt answers, rings are started';
  }

  async run(_ask: string, stop: AbortSignal): Promise<NodeRun> {
    const { main } = this;
    const { frames = 0, forward } = this.#settings;
    if (main === undefined) throw new Error('testpmd was not started');
    await this.#type('start', stop, COMMAND_TIMEOUT_MS);
    let ports: PortCounters[] = [];
    const isDone = async (): Promise<boolean> => {
      ports = await this.#counters(stop);
      if (sum(ports, forward === 'txonly' ? 'txPackets' : 'rxPackets') >= frames) return true;
      await delay(LOOK_MS);
      return false;
    };
    await main.until(isDone, `all ${frames} frames`, stop, NO_END_MS);
    await this.#type('stop', stop, COMMAND_TIMEOUT_MS);
    ports = await this.#counters(stop);
    const result = `${sum(ports, 'rxPackets')} frames received, ${sum(ports, 'txPackets')} sent, ${sum(ports, 'rxErrors') + sum(ports, 'txErrors')} errors`;
    return { isGood: true, result, output: JSON.stringify(ports, null, 2) };
  }

  async end(isLost: boolean): Promise<void> {
    await this.main?.end(isLost);
  }

  async #counters(stop: AbortSignal): Promise<PortCounters[]> {
    const found: PortCounters[] = [];
    for (const index of this.#place.devices.keys()) {
      found.push(parsePortStats(await this.#type(`show port stats ${index}`, stop, COMMAND_TIMEOUT_MS)));
    }
    return found;
  }

  /**
   * Types a command and resolves with what testpmd wrote until it had carried it out: it complains then of one that it
   * does not know. Its prompt would not do, because it is written letter by letter with log lines in between.
   */
  #type(command: string, stop: AbortSignal, timeoutMs: number): Promise<string> {
    const typed = this.#turn.then(async () => {
      const main = this.main as NodeProcess;
      const before = main.total;
      main.write(`${command}\nsync\n`);
      const isAnswered = (): boolean => main.outputFrom(before).includes('Command not found');
      await main.until(isAnswered, `it has answered "${command}"`, stop, timeoutMs);
      return main.outputFrom(before);
    });
    this.#turn = typed.catch(() => undefined);
    return typed;
  }

  #arguments(): string[] {
    const { device, forward, queues, ring, mergeable, mac, hugepages, memoryMiB, frames, frameBytes } =
      this.#settings;
    const { devices, number, allowedCpus } = this.#place;
    const macs = mac === undefined ? [] : [mac].flat();
    const vdevs = devices.map(({ socket, listens }, index) =>
      device === 'net_vhost'
        ? netVhostDevice({ socketPath: socket, queues, client: !listens }, index)
        : virtioUserDevice(
            {
              socketPath: socket,
              server: listens,
              mac: macs[index] ?? macAddress(index, number),
              queues,
              packed: ring === 'packed',
              mrgRxbuf: mergeable,
            },
            index,
          ),
    );
    return testpmdArguments(vdevs, memoryMiB, hugepages, {
      mode: forward,
      queues,
      cpus: `(${(this.#settings.cpus ?? allowedCpus).join(',')})`,
      // one that counts frames begins with its run
      autoStart: frames === undefined,
      ...(frameBytes === undefined ? {} : { size: frameBytes }),
    });
  }
}

function sum(ports: readonly PortCounters[], counter: keyof PortCounters): number {
  return ports.reduce((total, port) => total + port[counter], 0);
}
