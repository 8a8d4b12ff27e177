import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { QemuSettings } from '../lab-file/real-schema.ts';
import { serveConsole } from './exec-socket.ts';
import { GuestConsole } from './guest-console.ts';
import { deviceSetUp, imageKernel, writeInitrd } from './linux-image.ts';
import { isListeningAlone } from './listening.ts';
import { NodeFault, NodeProcess } from './node-process.ts';
import { parseFeatures } from './offered-features.ts';
import { requireProgram } from './programs.ts';
import { macAddress, machineArguments, optionText } from './qemu-arguments.ts';
import { Qmp } from './qmp.ts';
import {
  LISTEN_TIMEOUT_MS,
  type NodePlace,
  type NodeRun,
  READY_TIMEOUT_MS,
  type RunningNode,
} from './running-node.ts';
import { within } from './within.ts';

const RECONNECT_S = 1;
const END_SEEN_MS = 1_000;
const RUN_TIMEOUT_MS = 10 * 60_000;
const QUIET = 'console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on';

/** A virtual machine. With the image `linux` it takes commands; otherwise it is ready when its monitor and its marker are. */
export class QemuNode implements RunningNode {
  main: NodeProcess | undefined;
  negotiated: bigint | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: a guest of its own takes no commands. */
  readonly console?: string;
  readonly asks: readonly string[];
  readonly #settings: QemuSettings;
  readonly #place: NodePlace;
  readonly #qmpPath: string;
  readonly #serialPath: string;
  #qmp: Qmp | undefined;
  #guest: GuestConsole | undefined;
  #server: Server | undefined;

  constructor(settings: QemuSettings, place: NodePlace) {
    this.#settings = settings;
    this.#place = place;
    this.#qmpPath = join(place.folder, 'qmp.sock');
    this.#serialPath = join(place.folder, 'serial.sock');
    const isOwn = settings.kernel !== undefined || settings.disk !== undefined;
    if (!isOwn) this.console = join(place.folder, 'exec.sock');
    this.environment = { VHOSTLAB_QMP: this.#qmpPath };
    this.asks = settings.run;
  }

  async start(stop: AbortSignal): Promise<void> {
    const { folder, log, name, devices } = this.#place;
    const { cpus } = this.#settings;
    this.main = await NodeProcess.start({
      what: name,
      program: requireProgram('qemu-system-x86_64'),
      args: this.#arguments(),
      folder,
      log,
      ...(cpus === undefined ? {} : { cpus }),
    });
    this.#place.onProcess(this.main);
    const { pid } = this.main;
    for (const { socket } of devices.filter(({ listens }) => listens)) {
      await this.main.until(
        () => isListeningAlone(socket, pid),
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
    if (main === undefined) throw new Error('the machine was not started');
    try {
      return await this.#isReady(main, stop);
    } catch (error) {
      stop.throwIfAborted();
      if (error instanceof NodeFault) throw error;
      // a connection that is gone is seen before the end of the program that had it
      const ended = await Promise.race([main.ended, delay(END_SEEN_MS, undefined)]);
      const [first] = (error as Error).message.split('\n');
      throw main.fault(ended ?? first.replace('; it wrote:', ''));
    }
  }

  async #isReady(main: NodeProcess, stop: AbortSignal): Promise<string> {
    const { pid } = main;
    const listens = (path: string) => () => isListeningAlone(path, pid);
    await main.until(listens(this.#qmpPath), 'its monitor listens', stop, READY_TIMEOUT_MS);
    this.#qmp = await within(Qmp.connect(this.#qmpPath), stop);
    const { status } = (await within(this.#qmp.execute('query-status'), stop)) as { status: string };
    if (status !== 'running') throw main.fault(`is ${status}, not running`);
    const { console } = this;
    if (console === undefined) {
      const { marker } = this.#settings;
      if (marker === undefined) return 'monitor answers';
      const there = () => main.output().includes(marker);
      await main.until(there, `"${marker}" is on its serial port`, stop, READY_TIMEOUT_MS);
      return `monitor answers, "${marker}" is there`;
    }
    await main.until(listens(this.#serialPath), 'its serial port listens', stop, READY_TIMEOUT_MS);
    const guest = await within(GuestConsole.connect(this.#serialPath), stop);
    this.#guest = guest;
    await within(guest.ready(READY_TIMEOUT_MS), stop);
    const files = this.#place.devices.map((_, index) => `/sys/bus/virtio/devices/virtio${index}/features`);
    const lines = (await within(guest.must(`cat ${files.join(' ')}`), stop)).trim().split('\n');
    this.negotiated = lines.reduce((all, line) => all | parseFeatures(line), 0n);
    this.#server = await serveConsole(console, () => this.#guest);
    chmodSync(console, 0o600);
    return 'monitor answers, the guest takes commands';
  }

  async run(command: string, stop: AbortSignal): Promise<NodeRun> {
    if (this.#guest === undefined) throw new Error('the guest takes no commands');
    const { status, output } = await within(this.#guest.run(command, RUN_TIMEOUT_MS), stop);
    const lines = output.trimEnd().split('\n');
    const line = lines.find((each) => each.includes(' packets transmitted,')) ?? lines.at(-1) ?? '';
    return {
      isGood: status === 0,
      result: status === 0 ? line.trim() : `status ${status}${line.trim() === '' ? '' : `: ${line.trim()}`}`,
      output,
    };
  }

  async end(isLost: boolean): Promise<void> {
    this.#server?.close();
    this.#guest?.close();
    this.#qmp?.close();
    await this.main?.end(isLost);
  }

  #arguments(): string[] {
    const { memoryMiB, hugepages, accel, vcpus, ring, queues, mergeable, mac } = this.#settings;
    const { devices, number } = this.#place;
    const macs = mac === undefined ? [] : [mac].flat();
    return [
      ...machineArguments({
        memoryMiB,
        hugepages,
        accel,
        qmpPath: this.#qmpPath,
        netdevs: devices.map(({ socket, listens }, index) => ({
          socketPath: socket,
          ...(listens ? { server: true } : { reconnectS: RECONNECT_S }),
          mac: macs[index] ?? macAddress(index, number),
          queues,
          device: {
            packed: ring === 'packed' ? 'on' : 'off',
            mrg_rxbuf: mergeable ? 'on' : 'off',
            // with MSI-X this QEMU crashes under emulation once Linux drives a vhost-user device
            ...(accel === 'tcg' ? { vectors: 0 } : {}),
          },
        })),
      }),
      '-smp',
      String(vcpus),
      '-serial',
      'stdio',
      '-no-reboot',
      ...this.#boot(),
    ];
  }

  #boot(): string[] {
    const { kernel, initrd, append, disk, address } = this.#settings;
    if (disk !== undefined) return ['-drive', `file=${optionText(disk)},if=virtio,snapshot=on`];
    if (kernel !== undefined) {
      return [
        '-kernel',
        kernel,
        ...(initrd === undefined ? [] : ['-initrd', initrd]),
        '-append',
        append ?? 'console=ttyS0',
      ];
    }
    const path = join(this.#place.folder, 'initrd');
    const addresses = address === undefined ? [] : [address].flat();
    writeInitrd(path, deviceSetUp(this.#place.devices.length, addresses));
    return [
      '-kernel',
      imageKernel(),
      '-initrd',
      path,
      '-append',
      QUIET,
      '-serial',
      `unix:${optionText(this.#serialPath)},server=on,wait=off`,
    ];
  }
}
