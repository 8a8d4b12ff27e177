import {
  HostError,
  monotonicMs,
  type ProcessFacts,
  peerProcess,
  processFacts,
  type Reactor,
  sleep,
  UnixSocket,
} from '@vhostlab/host';
import { Wire } from '../wire/wire.ts';
import type { PeerControl } from './peer-control.ts';

const RETRY_MS = 5;

/** The back end under test: where it listens, and its process if it can be seen. */
export class BackEndTarget {
  readonly socketPath: string;
  readonly control: PeerControl | null;
  readonly #reactor: Reactor;
  #pid: number | null = null;
  #idleDescriptors: number | null = null;

  constructor(socketPath: string, control: PeerControl | null, reactor: Reactor) {
    this.socketPath = socketPath;
    this.control = control;
    this.#reactor = reactor;
  }

  /** A new connection; null when nobody listened for `timeoutMs`, or the process has ended. */
  async connect(timeoutMs: number): Promise<Wire | null> {
    const end = monotonicMs() + timeoutMs;
    for (;;) {
      try {
        const socket = UnixSocket.connect(this.socketPath);
        this.#pid = this.control?.pid ?? peerProcess(socket.fd);
        return new Wire(socket, this.#reactor);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
      }
      if (this.control?.ended != null || monotonicMs() >= end) return null;
      await sleep(RETRY_MS);
    }
  }

  /** What its process holds now; undefined when it cannot be seen. */
  facts(): ProcessFacts | undefined {
    return this.#pid === null ? undefined : processFacts(this.#pid);
  }

  /** Why it does not serve, in words. */
  describeEnd(): string {
    const ended = this.control?.ended;
    if (ended != null) return ended;
    if (this.#pid !== null && processFacts(this.#pid) === undefined) return `process ${this.#pid} has ended`;
    return 'it serves no new connection';
  }

  /** Starts it anew. */
  async restart(): Promise<void> {
    await this.control?.start();
    this.#pid = null;
    this.#idleDescriptors = null;
  }

  /**
   * Descriptors that the process has kept of a connection that is over, compared with the last time; 0 when it cannot
   * be seen. It closes them in its own time, of which it has `timeoutMs`.
   */
  async keptDescriptors(timeoutMs: number): Promise<number> {
    const before = this.#idleDescriptors;
    const end = monotonicMs() + timeoutMs;
    for (;;) {
      const now = this.facts()?.descriptors;
      if (now === undefined) return 0;
      if (before === null || now <= before || monotonicMs() >= end) {
        this.#idleDescriptors = now;
        return before === null ? 0 : Math.max(0, now - before);
      }
      await sleep(RETRY_MS);
    }
  }
}
