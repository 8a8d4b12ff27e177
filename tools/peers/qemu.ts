import { join } from 'node:path';
import { machineArguments, Qmp, type VhostUserNetdev } from '@vhostlab/lab/real-nodes';
import { clearStaleSocket, PeerProcess, peerFolder } from './process.ts';

export { macAddress, netdevArguments, type VhostUserNetdev } from '@vhostlab/lab/real-nodes';

/** A running QEMU and its monitor. */
export class Qemu {
  readonly process: PeerProcess;
  /** Path of the monitor's socket; QEMU serves one client on it, and `qmp` is that one. */
  readonly qmpPath: string;
  #qmp: Qmp | null = null;

  constructor(process: PeerProcess, qmpPath: string) {
    this.process = process;
    this.qmpPath = qmpPath;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** The monitor; there is one once the machine is `ready`. */
  get qmp(): Qmp {
    if (this.#qmp === null) throw this.process.error('the monitor is not there before ready()');
    return this.#qmp;
  }

  /** Waits until the machine is set up, its vhost-user devices connected, and the monitor answers. */
  async ready(): Promise<void> {
    await this.process.waitForSocket(this.qmpPath);
    this.#qmp ??= await Qmp.connect(this.qmpPath);
  }

  output(): string {
    return this.process.output();
  }

  /** Kills it at once, as a crash would. */
  kill(): Promise<void> {
    return this.process.kill();
  }

  /** Ends it and removes its folder. Harmless when repeated. */
  async stop(): Promise<void> {
    this.#qmp?.close();
    await this.process.stop();
  }
}

/** What a machine is made of besides its network devices. */
export interface MachineOptions {
  readonly name: string;
  readonly memoryMiB: number;
  readonly netdevs: readonly VhostUserNetdev[];
  readonly args: readonly string[];
  /** Shared memory on huge pages instead of ordinary ones. */
  readonly hugepages?: boolean;
}

/**
 * Starts QEMU under emulation (TCG) with shared memory, as vhost-user needs it. It is ready then, except with a device
 * in server mode: QEMU waits there for the first back end, so await `ready()` once that has been started. The folder
 * is the machine's own; `args` may name files in it.
 */
export async function startQemu(options: MachineOptions, folder = peerFolder(options.name)): Promise<Qemu> {
  const qmpPath = join(folder, 'qmp.sock');
  const served = options.netdevs.filter(({ server }) => server === true).map(({ socketPath }) => socketPath);
  served.forEach(clearStaleSocket);
  const process = await PeerProcess.start({
    name: options.name,
    program: 'qemu-system-x86_64',
    folder,
    args: [
      ...machineArguments({
        memoryMiB: options.memoryMiB,
        qmpPath,
        netdevs: options.netdevs,
        hugepages: options.hugepages === true,
      }),
      ...options.args,
    ],
  });
  const qemu = new Qemu(process, qmpPath);
  try {
    if (served.length === 0) await qemu.ready();
    for (const socketPath of served) await process.waitForSocket(socketPath);
  } catch (error) {
    await qemu.stop();
    throw error;
  }
  return qemu;
}
