import {
  ContractError,
  createClient,
  createGrpcTransport,
  framesV1,
  type GrpcServer,
  implement,
  type Security,
  serveGrpc,
} from '@vhostlab/contracts';
import { signalEvent, type ThreadInbox } from '@vhostlab/host';
import { FrameRing } from './frame-ring.ts';
import { LINK_RING_BYTES, type LinkNote, type LinkThreadData } from './link-messages.ts';
import { type LinkPair, LinkSession } from './link-session.ts';
import { LINK_COUNTER, LinkStatistics } from './link-statistics.ts';
import { acceptedStream, dialedStream } from './link-streams.ts';

/** Certificates are for roles; both ends of a link are back ends. */
const ROLE = 'backend';
const CHORES_MS = 10;
const LAST_WORDS_MS = 100;
/** Pauses between attempts to connect. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/**
 * The thread of a link: has the connection, and moves frames between it and the rings of the queue pairs until it is told
 * to end. The side that dials connects again whenever a connection is over; the side that listens takes one at a time.
 */
export class LinkThread {
  readonly #data: LinkThreadData;
  readonly #inbox: ThreadInbox;
  readonly #pairs: readonly LinkPair[];
  readonly #sessions = new Map<LinkPair, LinkSession>();
  readonly #ended = Promise.withResolvers<void>();
  #server: GrpcServer | undefined;
  #isEnding = false;

  constructor(data: LinkThreadData, inbox: ThreadInbox) {
    this.#data = { ...data, security: ownSecurity(data.security) };
    this.#inbox = inbox;
    const statistics = new LinkStatistics(data.pairs.length, data.statistics);
    this.#pairs = data.pairs.map(
      ({ out, in: incoming, wakeNumber }, pair): LinkPair => ({
        pair,
        out: new FrameRing(LINK_RING_BYTES, out),
        in: new FrameRing(LINK_RING_BYTES, incoming),
        counters: statistics.of(pair),
        wake: () => void signalEvent(wakeNumber),
        peer: 0n,
        sentFrames: 0,
        receivedFrames: 0,
        ackedFrames: 0,
      }),
    );
  }

  /** Resolves when the thread was told to end and everything is closed. */
  async run(): Promise<void> {
    const chores = setInterval(() => this.#chores(), CHORES_MS);
    try {
      if (this.#data.how === 'listen') await this.#listen();
      else for (const pair of this.#pairs) void this.#dial(pair);
      await this.#ended.promise;
    } catch (error) {
      this.#note({ note: 'failed', reason: (error as Error).message });
    } finally {
      clearInterval(chores);
      for (const session of this.#sessions.values()) session.close('ended by its operator');
      await this.#server?.close(CHORES_MS);
    }
  }

  /** Takes commands, and frames for a link that is down: nobody sees them, and they are counted. */
  #chores(): void {
    this.#inbox.serve((body) => {
      if (body !== 'end') throw new Error('a link is told nothing but to end');
      this.#isEnding = true;
      this.#ended.resolve();
    });
    for (const pair of this.#pairs) if (!this.#sessions.has(pair)) discard(pair);
  }

  async #listen(): Promise<void> {
    const { address: listen, security } = this.#data;
    const service = implement(framesV1.FrameLinkService, {
      carry: (requests, { peer }) => this.#accept(requests, peer),
    });
    this.#server = await serveGrpc({ listen, security, implementations: [service] });
    this.#note({ note: 'ready', address: this.#server.address });
  }

  async *#accept(requests: AsyncIterable<framesV1.CarryRequest>, peer: string) {
    const iterator = requests[Symbol.asyncIterator]();
    const first = await iterator.next();
    const opening = first.done === true ? undefined : first.value.message;
    if (opening?.case !== 'opening')
      throw new ContractError('INVALID_ARGUMENT', 'A link begins with an opening.');
    const pair = this.#pairs[opening.value.pair];
    if (pair === undefined) {
      const text = `This end of the link has ${this.#pairs.length} queue pairs, and none of number ${opening.value.pair}.`;
      throw new ContractError('FAILED_PRECONDITION', text);
    }
    if (this.#sessions.has(pair)) {
      throw new ContractError('ALREADY_EXISTS', `Queue pair ${pair.pair} of this link is connected already.`);
    }
    const { stream, answers } = acceptedStream({ [Symbol.asyncIterator]: () => iterator });
    void this.#session(pair, new LinkSession(pair, stream), peer, opening.value);
    yield* answers;
  }

  /** Connects, and again when the connection is over, until the thread ends. */
  async #dial(pair: LinkPair): Promise<void> {
    const { address, security } = this.#data;
    if (pair.pair === 0) this.#note({ note: 'ready', address });
    let pauseMs = FIRST_PAUSE_MS;
    let told = '';
    while (!this.#isEnding) {
      const connections = pair.counters[LINK_COUNTER.connections];
      // a channel of its own: one that has failed waits longer and longer before it tries again
      const transport = createGrpcTransport(address, { security, serverName: ROLE });
      const client = createClient(framesV1.FrameLinkService, transport);
      const why = await this.#session(pair, new LinkSession(pair, dialedStream(client)), address);
      // last words are on their way
      setTimeout(() => transport.close(), LAST_WORDS_MS);
      const wasConnected = pair.counters[LINK_COUNTER.connections] > connections;
      if (wasConnected) pauseMs = FIRST_PAUSE_MS;
      else {
        if (why !== told) this.#line(pair, address, `no connection: ${why}; tries again`);
        told = why;
        pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
      }
      await Promise.race([this.#ended.promise, new Promise((resolve) => setTimeout(resolve, pauseMs))]);
    }
  }

  async #session(
    pair: LinkPair,
    session: LinkSession,
    peer: string,
    opening?: framesV1.FrameOpening,
  ): Promise<string> {
    this.#sessions.set(pair, session);
    const before = pair.counters[LINK_COUNTER.connections];
    const connected = setInterval(() => {
      if (pair.counters[LINK_COUNTER.connections] === before) return;
      clearInterval(connected);
      this.#line(pair, peer, 'connected');
    }, CHORES_MS);
    const why = await session.run(this.#data.instance, opening);
    clearInterval(connected);
    this.#sessions.delete(pair);
    if (pair.counters[LINK_COUNTER.connections] > before && !this.#isEnding) {
      const next = this.#data.how === 'dial' ? 'connects again' : 'waits for it';
      this.#line(pair, peer, `lost: ${why}; ${next}`);
    }
    return why;
  }

  #line({ pair }: LinkPair, peer: string, text: string): void {
    const which = this.#pairs.length === 1 ? '' : `, queue pair ${pair}`;
    this.#note({ note: 'line', text: `link to ${peer}${which}: ${text}` });
  }

  #note(note: LinkNote): void {
    this.#inbox.note(note);
  }
}

/** Certificates as buffers again: on their way to a thread they become plain arrays. */
function ownSecurity({ tls, ...others }: Security): Security {
  if (tls === undefined) return others;
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((bytes) => Buffer.from(bytes)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  return { ...others, tls: { ca, cert, key } };
}

/** Takes what a guest has sent into a link without a connection. */
function discard({ out, counters }: LinkPair): void {
  if (!out.look()) return;
  for (let at = out.next(); at >= 0; at = out.next()) {
    out.pass(out.arena.u32[at >>> 2]);
    counters[LINK_COUNTER.drop_link_down]++;
  }
  out.release();
}
