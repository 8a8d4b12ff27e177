import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuestConsole, type GuestResult, guestInitramfs } from '@vhostlab/lab/real-nodes';
import { peersCache } from './cache.ts';
import { arrived } from './migration.ts';
import { peerFolder } from './process.ts';
import { type Qemu, startQemu, type VhostUserNetdev } from './qemu.ts';

/** A Linux guest: Debian's cloud kernel with busybox, in memory only. */
export interface QemuLinuxOptions {
  /** Its devices; the guest calls them eth0, eth1 and so on. */
  readonly netdevs: readonly VhostUserNetdev[];
  readonly memoryMiB?: number;
  readonly hugepages?: boolean;
  /** Shell commands that the guest runs once its drivers are loaded, such as `ip addr add 10.0.0.1/24 dev eth0`. */
  readonly setUp?: string;
  /** More files for its root, by their names in `/`. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Does not boot but waits for a migration from this address, such as `unix:PATH` or `exec:cat FILE`. */
  readonly incoming?: string;
  /** Stays paused when it has arrived; `resume()` lets it run. */
  readonly paused?: boolean;
  /** More of QEMU's options. */
  readonly extra?: readonly string[];
}

/** A Linux guest that obeys commands. */
export interface LinuxGuest {
  readonly qemu: Qemu;
  readonly pid: number;
  /** Runs a shell command in the guest. */
  run(command: string, timeoutMs?: number): Promise<GuestResult>;
  /** Runs a command that must succeed, and returns what it wrote. */
  must(command: string, timeoutMs?: number): Promise<string>;
  /** What the kernel wrote to its console. */
  output(): string;
  /** Waits until the guest obeys commands: for one that did not boot here, when it has arrived. */
  ready(): Promise<void>;
  /** Lets a machine run that has arrived paused. */
  resume(): Promise<void>;
  /** Kills the machine at once, as a crash would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a Linux guest. It has booted and obeys commands then; with `incoming` or a device in server mode it does so
 * once `ready()` has been awaited. The devices have no MSI-X vectors: with them this QEMU crashes under emulation.
 */
export async function qemuLinux(options: QemuLinuxOptions): Promise<LinuxGuest> {
  const cache = peersCache();
  const folder = peerFolder('qemu-linux');
  const initrd = join(folder, 'initramfs');
  const consolePath = join(folder, 'console.sock');
  writeFileSync(initrd, guestInitramfs(cache, options.setUp ?? '', options.files));
  const qemu = await startQemu(
    {
      name: 'qemu-linux',
      memoryMiB: options.memoryMiB ?? 192,
      hugepages: options.hugepages === true,
      netdevs: options.netdevs.map((netdev) => ({ ...netdev, device: { vectors: 0, ...netdev.device } })),
      args: [
        '-kernel',
        join(cache, 'linux/boot/vmlinuz'),
        '-initrd',
        initrd,
        '-append',
        'console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on',
        '-serial',
        'stdio',
        '-serial',
        `unix:${consolePath},server=on,wait=off`,
        '-no-reboot',
        ...(options.incoming === undefined ? [] : ['-incoming', options.incoming]),
        ...(options.paused === true ? ['-S'] : []),
        ...(options.extra ?? []),
      ],
    },
    folder,
  );
  const guest = new Guest(qemu, consolePath, options);
  try {
    if (options.incoming === undefined && options.netdevs.every(({ server }) => server !== true)) {
      await guest.ready();
    }
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return guest;
}

class Guest implements LinuxGuest {
  readonly qemu: Qemu;
  readonly #consolePath: string;
  readonly #arrives: boolean;
  #isPaused: boolean;
  #console: GuestConsole | null = null;

  constructor(qemu: Qemu, consolePath: string, { incoming, paused }: QemuLinuxOptions) {
    this.qemu = qemu;
    this.#consolePath = consolePath;
    this.#arrives = incoming !== undefined;
    this.#isPaused = paused === true;
  }

  get pid(): number {
    return this.qemu.pid;
  }

  async ready(): Promise<void> {
    await this.qemu.process.waitForSocket(this.#consolePath);
    this.#console ??= await GuestConsole.connect(this.#consolePath);
    await this.qemu.ready();
    if (this.#arrives) {
      await arrived(this.qemu);
      if (!this.#isPaused) await this.must('true');
      return;
    }
    try {
      await this.#console.ready();
    } catch (error) {
      throw this.qemu.process.error((error as Error).message);
    }
  }

  async resume(): Promise<void> {
    await this.qemu.qmp.execute('cont');
    this.#isPaused = false;
    await this.must('true');
  }

  run(command: string, timeoutMs?: number): Promise<GuestResult> {
    if (this.#console === null) throw new Error('the guest takes no commands before ready()');
    return this.#console.run(command, timeoutMs);
  }

  must(command: string, timeoutMs?: number): Promise<string> {
    if (this.#console === null) throw new Error('the guest takes no commands before ready()');
    return this.#console.must(command, timeoutMs);
  }

  output(): string {
    return this.qemu.output();
  }

  kill(): Promise<void> {
    return this.qemu.kill();
  }

  async stop(): Promise<void> {
    this.#console?.close();
    await this.qemu.stop();
  }
}
