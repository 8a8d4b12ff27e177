import { closeAll, type Fd, memfd, processDescriptors } from '@vhostlab/host';
import { CheckEnded, fail } from '../check-ended.ts';
import type { Limits } from '../limits.ts';
import { notClaimed } from '../report/verdict.ts';
import type { DriverRing } from './driver-ring.ts';
import type { FrontEndTarget } from './front-end-target.ts';
import { until } from './until.ts';
import type { Visit, VisitOptions } from './visit.ts';

/** What one check of a front end works with. */
export class FrontEndBench {
  readonly limits: Limits;
  /** The front end uses packed rings where they are offered: offered where a check does not care. */
  readonly isPacked: boolean;
  readonly #target: FrontEndTarget;
  readonly #visits: Visit[] = [];
  readonly #fds: Fd[] = [];

  constructor(target: FrontEndTarget, limits: Limits, isPacked = false) {
    this.#target = target;
    this.isPacked = isPacked;
    this.limits = limits;
  }

  /** The next connection of the front end. Ends the check as died when it does not come. */
  async visit(options: VisitOptions): Promise<Visit> {
    const visit = await this.#target.accept(this.limits.recoverMs, options);
    if (visit === null) {
      throw new CheckEnded({ verdict: 'died', observed: this.#target.describeEnd() });
    }
    this.#visits.push(visit);
    return visit;
  }

  /** A ring of a running front end with buffers in it. Ends the check when the front end does not get there. */
  async stocked(visit: Visit, index: number): Promise<DriverRing> {
    const ring = await visit.stocked(index, this.limits.recoverMs);
    if (ring !== null) return ring;
    if (visit.ended !== null) fail(`a good handshake ends with: ${visit.ended}`);
    throw new CheckEnded(
      notClaimed(
        `ring ${index} gets no buffers: the front end does not ${index === 0 ? 'receive' : 'transmit'}`,
      ),
    );
  }

  /** Waits until the front end has reacted: ended the connection, ended itself, or gone on for a while. */
  async settle(visit: Visit, holds: () => boolean = () => false): Promise<void> {
    await until(() => visit.ended !== null || this.#target.ended !== null || holds(), this.limits.pauseMs);
  }

  /** Waits as long as a front end may take to come somewhere. */
  async until(visit: Visit, holds: () => boolean): Promise<void> {
    await until(() => visit.ended !== null || this.#target.ended !== null || holds(), this.limits.recoverMs);
  }

  /** Lets other work go on. */
  async breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Descriptors of `marked` that are this side's own, where both ends are in one process. */
  ownCopies(visit: Visit): number {
    return (this.#target.pid ?? visit.peerProcess) === process.pid ? 1 : 0;
  }

  /** How the front end's process ended; null while it runs, or when it cannot be seen. */
  get processEnded(): string | null {
    return this.#target.ended;
  }

  /** A file by which a descriptor is known in the front end's process, and how many of it are open there. */
  marked(visit: Visit): { readonly fd: Fd; readonly count: () => number } {
    const name = `conformance stray ${this.#fds.length}`;
    const fd = memfd(name, 4096);
    this.#fds.push(fd);
    const pid = this.#target.pid ?? visit.peerProcess;
    if (pid === null) throw new CheckEnded(notClaimed('its process cannot be looked into'));
    return {
      fd,
      count: () => (processDescriptors(pid) ?? []).filter(({ target }) => target.includes(name)).length,
    };
  }

  async dispose(): Promise<void> {
    for (const visit of this.#visits) await visit.close();
    closeAll(this.#fds);
  }
}
