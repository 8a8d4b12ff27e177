import {
  type ForwardMode,
  type PortCounters,
  parsePortStats,
  testpmdArguments,
} from '@vhostlab/lab/real-nodes';
import { ensureHugePages } from './hugepages.ts';
import { PeerProcess } from './process.ts';

export type { ForwardMode } from '@vhostlab/lab/real-nodes';

/** Options that DPDK's front end and back end have in common. */
export interface TestpmdOptions {
  readonly mode: ForwardMode;
  /** Queue pairs of every port, 1 by default. */
  readonly queues?: number;
  /** Bytes of the frames that txonly sends, without CRC; 64 by default. */
  readonly size?: number;
  /** CPU that all of its threads run on; left to the scheduler by default. */
  readonly cpu?: number;
  /** Memory on huge pages if they can be had; ordinary pages by default. */
  readonly hugepages?: boolean;
  /** Size of its memory, which a front end shares; 128 by default. */
  readonly memoryMiB?: number;
  /** Packets handled at once; 32 by default. */
  readonly burst?: number;
  /** False leaves the forwarding stopped until `start()`. */
  readonly autoStart?: boolean;
  /** More of testpmd's own options, behind the `--`. */
  readonly extra?: readonly string[];
  /** More options of DPDK's environment layer, before the `--`. */
  readonly extraEal?: readonly string[];
}

/** A port's counters since its start, as the driver counts them. */
export interface PortStats extends PortCounters {
  /** When the counters were read, ms of `performance.now()`. */
  readonly atMs: number;
}

/** What the forwarding did with a port's packets between start and stop. */
export interface ForwardStats {
  readonly rxPackets: number;
  readonly rxDropped: number;
  readonly txPackets: number;
  /** Packets that the TX queue did not take. */
  readonly txDropped: number;
}

const START_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;

/** A dpdk-testpmd that is driven at its prompt. */
export class Testpmd {
  readonly process: PeerProcess;
  readonly socketPath: string;
  /** Whether its memory lies on huge pages. */
  readonly hugepages: boolean;

  private constructor(process: PeerProcess, socketPath: string, hugepages: boolean) {
    this.process = process;
    this.socketPath = socketPath;
    this.hugepages = hugepages;
  }

  /** Starts testpmd with the given virtual devices; `ready` tells when they are set up. */
  static async start(
    name: string,
    devices: readonly string[],
    socketPath: string,
    options: TestpmdOptions,
  ): Promise<Testpmd> {
    const memoryMiB = options.memoryMiB ?? 128;
    const hugepages = options.hugepages === true && ensureHugePages((memoryMiB + 16) * MIB);
    const process = await PeerProcess.start({
      name,
      program: 'dpdk-testpmd',
      lineBuffered: true,
      args: testpmdArguments(devices, memoryMiB, hugepages, {
        ...options,
        cpus: options.cpu === undefined ? '(0-1)' : String(options.cpu),
      }),
    });
    return new Testpmd(process, socketPath, hugepages);
  }

  get pid(): number {
    return this.process.pid;
  }

  output(): string {
    return this.process.output();
  }

  /**
   * Waits until every port is set up and, unless told otherwise, forwards. A device that DPDK refuses rejects, with
   * what DPDK wrote: testpmd itself would go on without it.
   */
  async ready(): Promise<void> {
    await this.#answered(START_TIMEOUT_MS);
    if (/Bus \(vdev\) probe failed|Start ports failed/.test(this.process.output())) {
      throw this.process.error('DPDK refused the device');
    }
  }

  /** Awaits a step of its start; when that fails it is stopped, and the error goes on. */
  async started(step: () => Promise<void>): Promise<this> {
    try {
      await step();
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  /** Types a command, and returns what testpmd writes up to `end`. */
  async command(text: string, end: RegExp, timeoutMs = COMMAND_TIMEOUT_MS): Promise<string> {
    const from = this.process.mark();
    this.process.write(`${text}\n`);
    const found = await this.process.waitFor(end, { from, timeoutMs });
    return found.input.slice(0, found.index + found[0].length);
  }

  /** A port's counters. They are the driver's, so they are also exact while packets flow. */
  async stats(port = 0): Promise<PortStats> {
    const text = await this.command(
      `show port stats ${port}`,
      new RegExp(`NIC statistics for port ${port} [\\s\\S]*Tx-pps:.*\\n\\s*#{20,}`),
    );
    return { ...parsePortStats(text), atMs: performance.now() };
  }

  /** Every extended counter of a port by name. */
  async xstats(port = 0): Promise<Record<string, number>> {
    const from = this.process.mark();
    this.process.write(`show port xstats ${port}\n`);
    await this.#answered(COMMAND_TIMEOUT_MS);
    const text = this.process.outputFrom(from);
    return Object.fromEntries(
      [...text.matchAll(/^(\w+): (\d+)\s*$/gm)].map(([, name, value]) => [name!, Number(value)]),
    );
  }

  /** Starts the forwarding. */
  async start(): Promise<void> {
    await this.command('start', /packet forwarding packets\/burst|Packet forwarding already started/);
  }

  /** Stops the forwarding; the ports and their queues stay up. Returns each port's account of it. */
  async halt(): Promise<ForwardStats[]> {
    return parseForwardStats(await this.command('stop', /\nDone\.|Packet forwarding not started/));
  }

  /** Frees the mbufs, stops the ports and ends testpmd as an operator would; falls back to a signal. */
  async quit(): Promise<void> {
    this.process.write('quit\n');
    await this.process.waitUntil(() => !this.process.running, 'quit ended it', 5_000).catch(() => {});
    await this.stop();
  }

  /**
   * Waits until everything typed before has been carried out: testpmd complains of a command that it does not know.
   * Its prompt would not do, because it is written letter by letter with log lines in between.
   */
  async #answered(timeoutMs: number): Promise<void> {
    const from = this.process.mark();
    this.process.write('sync\n');
    await this.process.waitFor(/Command not found/, { from, timeoutMs });
  }

  /** Kills it at once, as a crash would. */
  kill(): Promise<void> {
    return this.process.kill();
  }

  /** Ends it and removes its folder. Harmless when repeated. */
  stop(): Promise<void> {
    return this.process.stop();
  }
}

/** Reads the blocks "Forward statistics for port N" that `stop` prints, by port. */
export function parseForwardStats(text: string): ForwardStats[] {
  const block =
    /Forward statistics for port (\d+) [\s\S]*?RX-packets: (\d+)\s+RX-dropped: (\d+)[\s\S]*?TX-packets: (\d+)\s+TX-dropped: (\d+)/g;
  const stats: ForwardStats[] = [];
  for (const [, port, rxPackets, rxDropped, txPackets, txDropped] of text.matchAll(block)) {
    stats[Number(port)] = {
      rxPackets: Number(rxPackets),
      rxDropped: Number(rxDropped),
      txPackets: Number(txPackets),
      txDropped: Number(txDropped),
    };
  }
  return stats;
}
