import { EVENT_READABLE, type MappedArena, monotonicMs, type Reactor, UnixListener } from '@vhostlab/host';
import type { PeerControl } from './peer-control.ts';
import { until } from './until.ts';
import { Visit, type VisitOptions } from './visit.ts';

/** The front end under test, which connects to us. */
export class FrontEndTarget {
  readonly control: PeerControl | null;
  readonly #listener: UnixListener;
  readonly #reactor: Reactor;
  readonly #arena: MappedArena;

  /** Listens at once. Throws a HostError. */
  constructor(path: string, control: PeerControl | null, reactor: Reactor, arena: MappedArena) {
    this.control = control;
    this.#listener = UnixListener.listen(path);
    this.#reactor = reactor;
    this.#arena = arena;
  }

  /** How its process ended; null while it runs, or when it is not ours. */
  get ended(): string | null {
    return this.control?.ended ?? null;
  }

  get pid(): number | null {
    return this.control?.pid ?? null;
  }

  /** Its next connection; null when none came for `timeoutMs`, or its process has ended. */
  async accept(timeoutMs: number, options: VisitOptions): Promise<Visit | null> {
    let isReady = false;
    const unwatch = this.#reactor.watch(this.#listener.fd, () => (isReady = true), EVENT_READABLE);
    const end = monotonicMs() + timeoutMs;
    try {
      for (;;) {
        const socket = this.#listener.accept();
        if (socket !== undefined) return new Visit(socket, this.#reactor, this.#arena, options);
        isReady = false;
        await until(() => isReady || this.ended !== null, end - monotonicMs());
        if (!isReady && (this.ended !== null || monotonicMs() >= end)) return null;
      }
    } finally {
      unwatch();
    }
  }

  /** Takes connections that nobody asked for, and closes them. */
  drop(): void {
    for (let socket = this.#listener.accept(); socket !== undefined; socket = this.#listener.accept()) {
      socket.close();
    }
  }

  /** Why it does not come, in words. */
  describeEnd(): string {
    return this.ended ?? 'it does not connect';
  }

  close(): void {
    this.#listener.close();
  }
}
