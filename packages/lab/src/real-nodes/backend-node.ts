import type { BackendSettings } from '../lab-file/real-schema.ts';
import { isListeningAlone } from './listening.ts';
import { NodeProcess } from './node-process.ts';
import { offeredFeatures } from './offered-features.ts';
import {
  LISTEN_TIMEOUT_MS,
  type NodePlace,
  type NodeRun,
  READY_TIMEOUT_MS,
  type RunningNode,
} from './running-node.ts';
import { within } from './within.ts';

/** Flows with the ports as links name them: `port0` is the guest0 of our switch. */
export function backendFlow(flow: string): string {
  return flow.replaceAll(/\bport(\d)\b/g, 'guest$1');
}

/** Our own back end: `vhostlab vhost-user backend` with a socket for each link. */
export class BackendNode implements RunningNode {
  main: NodeProcess | undefined;
  features: bigint | undefined;
  readonly environment = {};
  readonly asks = [];
  readonly #settings: BackendSettings;
  readonly #place: NodePlace;

  constructor(settings: BackendSettings, place: NodePlace) {
    this.#settings = settings;
    this.#place = place;
  }

  async start(stop: AbortSignal): Promise<void> {
    const { folder, log, name, devices, vhostlab } = this.#place;
    const main = await NodeProcess.start({
      what: name,
      program: vhostlab.file,
      args: [...vhostlab.args, ...this.#arguments()],
      folder,
      log,
    });
    this.main = main;
    this.#place.onProcess(main);
    for (const { socket, port } of devices) {
      const listens = (): boolean => isListeningAlone(socket, main.pid);
      await main.until(listens, `${port} listens`, stop, LISTEN_TIMEOUT_MS);
    }
    this.features = await within(offeredFeatures(devices[0].socket), stop);
  }

  async join(): Promise<void> {
    // it listens
  }

  async ready(stop: AbortSignal): Promise<string> {
    const { main } = this;
    if (main === undefined) throw new Error('the back end was not started');
    for (const { port, peer, socket } of this.#place.devices) {
      const isUp = (): boolean => startedRings(main.output(), socket) >= 2;
      await main.until(isUp, `${peer} has started the rings of ${port}`, stop, READY_TIMEOUT_MS);
    }
    return 'front ends are connected, rings are started';
  }

  run(): Promise<NodeRun> {
    throw new Error('a back end is asked for nothing');
  }

  async end(isLost: boolean): Promise<void> {
    await this.main?.end(isLost);
  }

  #arguments(): string[] {
    const { queues, mode, port, plugin, options = {}, flows = [], cpus, listen } = this.#settings;
    return [
      'vhost-user',
      'backend',
      // a lab that has lost a process has failed; nothing is started again behind its back
      '--no-supervise',
      ...this.#place.devices.flatMap(({ socket }) => ['--socket-path', socket]),
      ...(plugin === undefined ? ['--port', port] : ['--plugin', plugin]),
      ...Object.entries(options).flatMap(([name, value]) => ['--option', `${name}=${value}`]),
      '--mode',
      mode,
      '--queues',
      String(queues),
      ...flows.flatMap((flow) => ['--flow', backendFlow(flow)]),
      ...(cpus === undefined ? [] : ['--cpus', cpus.join(',')]),
      ...(listen === undefined ? [] : ['--listen', listen]),
    ];
  }
}

/** Rings of a socket that are started, by the lines that the back end has written. */
export function startedRings(output: string, socket: string): number {
  const started = new Set<string>();
  for (const line of output.split('\n')) {
    if (!line.startsWith(`${socket}: `)) continue;
    const [, ring, event] = /: ring (\d+) (started|stopped)/.exec(line) ?? [];
    if (event === 'started') started.add(ring);
    else if (event === 'stopped') started.delete(ring);
    else if (line.includes(': front end gone')) started.clear();
  }
  return started.size;
}
