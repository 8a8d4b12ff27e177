import { AddressError, parseAddress, type Security } from '@vhostlab/contracts';
import { eventFd, type Fd, Thread, within } from '@vhostlab/host';
import { FrameRing } from './frame-ring.ts';
import { LINK_RING_BYTES, type LinkNote, type LinkPairShared, type LinkThreadData } from './link-messages.ts';
import { LinkStatistics } from './link-statistics.ts';

const MODULE = new URL('./main.ts', import.meta.url);
const GRACE_MS = 3000;

/** Where a link goes. */
export interface LinkSpec {
  /** Connects to an address, or listens at one: HOST:PORT, [IPV6]:PORT or unix:/path. */
  readonly how: 'dial' | 'listen';
  readonly address: string;
  /** Token of the lab, and certificates, which TCP addresses off loopback need. */
  readonly security: Security;
}

/**
 * A link to another process on the real clock: frames of each queue pair go through rings to a thread that has the
 * connection, and come back the same way.
 */
export class RealLink {
  /** Where the other side finds this one, when it listens; else where it connects to. */
  readonly address: string;
  readonly statistics: LinkStatistics;
  /** What the thread of each queue pair needs. */
  readonly pairs: readonly LinkPairShared[];
  readonly #thread: Thread;
  readonly #wakes: readonly Fd[];

  private constructor(
    address: string,
    statistics: LinkStatistics,
    pairs: readonly LinkPairShared[],
    thread: Thread,
    wakes: readonly Fd[],
  ) {
    this.address = address;
    this.statistics = statistics;
    this.pairs = pairs;
    this.#thread = thread;
    this.#wakes = wakes;
  }

  /**
   * Starts the thread; resolves when it listens, or dials. Throws AddressError, one sentence, when the address is wrong or
   * taken, or needs certificates. `log` is told of connections that come and go.
   */
  static async start(spec: LinkSpec, pairs: number, log: (line: string) => void): Promise<RealLink> {
    parseAddress(spec.address);
    const statistics = new LinkStatistics(pairs);
    const wakes = Array.from({ length: pairs }, () => eventFd());
    const shared = wakes.map(
      ({ number }): LinkPairShared => ({
        out: new FrameRing(LINK_RING_BYTES).buffer,
        in: new FrameRing(LINK_RING_BYTES).buffer,
        wakeNumber: number,
      }),
    );
    const instance = crypto.getRandomValues(new BigUint64Array(1))[0] || 1n;
    const data: LinkThreadData = { ...spec, instance, pairs: shared, statistics: statistics.buffer };
    const thread = new Thread(MODULE, data, 'link');
    const ready = Promise.withResolvers<string>();
    thread.onNote = (told) => {
      const note = told as LinkNote;
      if (note.note === 'line') log(note.text);
      else if (note.note === 'ready') ready.resolve(note.address);
      else ready.reject(new AddressError(note.reason));
    };
    void thread.ended.then((error) => ready.reject(error ?? new Error('the thread of the link has ended')));
    try {
      return new RealLink(await ready.promise, statistics, shared, thread, wakes);
    } catch (error) {
      await thread.stop();
      for (const wake of wakes) wake.close();
      throw error;
    }
  }

  /** Ends the connection in order, and the thread. Ports must not be used any more. */
  async stop(): Promise<void> {
    const told = this.#thread.call('end').catch(() => undefined);
    await within(
      told.then(() => this.#thread.ended),
      GRACE_MS,
    );
    await this.#thread.stop();
    for (const wake of this.#wakes) wake.close();
  }
}
