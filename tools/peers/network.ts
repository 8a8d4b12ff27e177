import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { peersCache } from './cache.ts';
import { PeerProcess, requireProgram } from './process.ts';

/** What a program in a network namespace left behind. */
export interface NetworkResult {
  readonly status: number | null;
  readonly output: string;
}

const TIMEOUT_MS = 120_000;

/** A network namespace of a test's own, held open by a process that does nothing: interfaces live in it and nowhere else. */
export class Network {
  readonly #keeper: PeerProcess;

  private constructor(keeper: PeerProcess) {
    this.#keeper = keeper;
  }

  /** Makes a namespace in which the loopback interface is up, and runs commands of `ip` in it, such as `link add …`. */
  static async create(...commands: string[]): Promise<Network> {
    const keeper = await PeerProcess.start({
      name: 'network',
      program: 'sh',
      args: ['-c', 'echo there; exec sleep infinity'],
      network: 'own',
    });
    const network = new Network(keeper);
    try {
      await keeper.waitFor(/there/);
      for (const command of ['link set lo up', ...commands]) await network.ip(command);
    } catch (error) {
      await network.stop();
      throw error;
    }
    return network;
  }

  /** A process whose namespace this is, for `PeerCommand.network`. */
  get ofPid(): number {
    return this.#keeper.pid;
  }

  /** Runs `ip` with the words of a command; rejects when it fails. */
  async ip(command: string): Promise<string> {
    const { status, output } = await this.run('ip', command.split(' '));
    if (status !== 0) throw new Error(`ip ${command}: ${output}`);
    return output;
  }

  /** Runs a program in the namespace to its end. */
  async run(program: string, args: readonly string[]): Promise<NetworkResult> {
    const child = await PeerProcess.start({ name: basename(program), program, args, network: this });
    const { code } = await child.exit;
    const output = child.output();
    await child.stop();
    return { status: code, output };
  }

  /** Sends pings to an address, one each 100 ms, and resolves with what ping wrote; a lost one is no error. */
  async ping(address: string, count: number): Promise<string> {
    const args = ['ping', '-c', String(count), '-i', '0.1', '-W', '2', address];
    return (await this.run(busybox(), args)).output;
  }

  /** Takes one connection on a TCP port, and resolves with the hash and the number of bytes that came. */
  receive(port: number): Promise<{ readonly sha256: string; readonly bytes: number }> {
    const child = this.#netcat(['-l', '-p', String(port)]);
    const hash = createHash('sha256');
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    // The input stays open: netcat would close its half of the connection at its end.
    return ended(child).then(() => ({ sha256: hash.digest('hex'), bytes }));
  }

  /** Sends bytes `times` times to a TCP port, and resolves when the other side has closed. */
  send(address: string, port: number, bytes: Uint8Array, times = 1): Promise<void> {
    const child = this.#netcat([address, String(port)]);
    child.stdout.resume();
    child.stdin.on('error', () => {});
    let left = times;
    const next = () => {
      while (left > 0) {
        left -= 1;
        if (!child.stdin.write(bytes)) {
          child.stdin.once('drain', next);
          return;
        }
      }
      child.stdin.end();
    };
    next();
    return ended(child);
  }

  /** Ends the namespace, and with it every interface in it. */
  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  #netcat(args: readonly string[]) {
    return spawn(
      requireProgram('setpriv'),
      [
        '--pdeathsig',
        'KILL',
        '--',
        requireProgram('nsenter'),
        `--net=/proc/${this.ofPid}/ns/net`,
        '--',
        busybox(),
        'nc',
        ...args,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
  }
}

function busybox(): string {
  return join(peersCache(), 'busybox/bin/busybox');
}

/** Resolves when a netcat has ended well, and rejects when it has not or takes too long. */
function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`netcat ended with ${signal ?? `status ${code}`}`));
    });
  });
}
