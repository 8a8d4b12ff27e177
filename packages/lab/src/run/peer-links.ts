import {
  ContractError,
  createClient,
  createGrpcTransport,
  linkV1,
  type MessageShape,
  type Transport,
} from '@vhostlab/contracts';

type Incoming =
  | MessageShape<typeof linkV1.ExchangeRequestSchema>
  | MessageShape<typeof linkV1.ExchangeResponseSchema>;
/** The two directions of a link carry the same messages. */
type Outgoing = {
  message:
    | { case: 'opening'; value: { runId: string; process: string; planSha256: Uint8Array } }
    | {
        case: 'batch';
        value: { channel: number; sequence: bigint; count: number; payload: Uint8Array; more: boolean };
      };
};

/** Batches have at most this many payload bytes; longer ones travel in parts. */
const PART_BYTES = 8 * 1024 * 1024;

interface Inbound {
  batches: number;
  messages: number;
  payloadBytes: number;
  waiting: Uint8Array[];
  part: Uint8Array[];
}

/** Counts of one channel and direction since the start of the run. */
export interface ChannelTotals {
  channel: number;
  batches: number;
  messages: number;
  payloadBytes: number;
}

/**
 * The streams between one process and its neighbours. What arrives is taken off the stream at once and kept
 * until the lab's grant says that it counts, so a stream never blocks.
 */
export class PeerLinks {
  readonly #connect: (address: string, peer: string) => Transport;
  /** The run that they belong to. */
  readonly runId: string;
  readonly #process: string;
  readonly #planSha256: Uint8Array;
  readonly #send = new Map<string, (message: Outgoing) => Promise<void>>();
  readonly #peerOfChannel = new Map<number, string>();
  readonly #inbound = new Map<number, Inbound>();
  readonly #outbound = new Map<number, ChannelTotals>();
  readonly #closers: (() => void)[] = [];
  /** Everybody who waits for something to arrive. */
  #waiting: (() => void)[] = [];
  #haveMet = false;
  #fault: Error | undefined;
  #closed = false;

  constructor(
    runId: string,
    process: string,
    planSha256: Uint8Array,
    connect: (address: string, peer: string) => Transport = (address) => createGrpcTransport(address),
  ) {
    this.#connect = connect;
    this.runId = runId;
    this.#process = process;
    this.#planSha256 = planSha256;
  }

  /** Says which neighbour has the other end of which channels. */
  expect(peer: string, channels: readonly number[]): void {
    for (const channel of channels) this.#peerOfChannel.set(channel, peer);
  }

  /** Opens the stream to a neighbour; resolves when it has answered. */
  async dial(peer: string, address: string, timeoutMs: number): Promise<void> {
    const transport = this.#connect(address, peer);
    const stream = createClient(linkV1.LinkService, transport).exchange({
      timeoutMs: Number.POSITIVE_INFINITY,
    });
    this.#closers.push(() => {
      stream.cancel();
      transport.close();
    });
    const timer = setTimeout(() => stream.cancel(), timeoutMs);
    let first: Incoming | undefined;
    try {
      await stream.send(this.opening());
      first = await stream.receive();
    } catch (error) {
      throw new ContractError(
        'UNAVAILABLE',
        `The link from ${this.#process} to ${peer} at ${address} cannot be opened: ${(error as Error).message}`,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
    if (first?.message.case !== 'opening') {
      throw new ContractError('UNAVAILABLE', `${peer} at ${address} did not open its side of the link.`);
    }
    this.check(first.message.value);
    this.attach(peer, (message) => stream.send(message));
    void this.#drain(peer, stream);
  }

  /** Own first message on a stream. */
  opening(): Outgoing {
    return {
      message: {
        case: 'opening',
        value: { runId: this.runId, process: this.#process, planSha256: this.#planSha256 },
      },
    };
  }

  /** Refuses a neighbour of another run or plan. */
  check(opening: MessageShape<typeof linkV1.OpeningSchema>): void {
    if (opening.runId !== this.runId) {
      throw new ContractError('FAILED_PRECONDITION', `${opening.process} belongs to run ${opening.runId}.`);
    }
    if (Buffer.compare(opening.planSha256, this.#planSha256) !== 0) {
      throw new ContractError(
        'FAILED_PRECONDITION',
        `${opening.process} has another plan of run ${this.runId}.`,
      );
    }
  }

  /** Takes over the sending side towards a neighbour. Refuses who comes twice, and who comes when all have met. */
  attach(peer: string, send: (message: Outgoing) => Promise<void>): void {
    if (this.#send.has(peer)) throw new ContractError('ALREADY_EXISTS', `${peer} is connected already.`);
    if (this.#haveMet) {
      throw new ContractError(
        'FAILED_PRECONDITION',
        `${peer} comes late: ${this.#process} has met all its neighbours in run ${this.runId}.`,
      );
    }
    this.#send.set(peer, send);
    this.#arrived();
  }

  /** Waits until all named neighbours are connected. */
  async connected(peers: readonly string[], timeoutMs: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#arrived();
    }, timeoutMs);
    try {
      for (;;) {
        const missing = peers.filter((peer) => !this.#send.has(peer));
        if (missing.length === 0) {
          this.#haveMet = true;
          return;
        }
        if (late) {
          throw new ContractError(
            'DEADLINE_EXCEEDED',
            `No link from ${missing.join(', ')} within ${timeoutMs} ms.`,
          );
        }
        await this.#something();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Keeps what arrived from a neighbour. */
  accept(peer: string, message: Incoming): void {
    if (message.message.case !== 'batch') return;
    const { channel, count, payload, more } = message.message.value;
    if (this.#peerOfChannel.get(channel) !== peer) {
      this.fail(
        new ContractError('INVALID_ARGUMENT', `${peer} sent on channel ${channel}, which is not its own.`),
      );
      return;
    }
    const inbound = this.#of(channel);
    inbound.messages += count;
    inbound.payloadBytes += payload.length;
    inbound.part.push(payload);
    if (!more) {
      inbound.waiting.push(inbound.part.length === 1 ? inbound.part[0] : Buffer.concat(inbound.part));
      inbound.part = [];
      inbound.batches++;
      this.#arrived();
    }
  }

  /** Sends one batch of a window. */
  async send(channel: number, payload: Uint8Array, messages: number): Promise<void> {
    const peer = this.#peerOfChannel.get(channel);
    const send = peer === undefined ? undefined : this.#send.get(peer);
    if (send === undefined) throw new Error(`channel ${channel} has no link`);
    const totals = this.#outbound.get(channel) ?? { channel, batches: 0, messages: 0, payloadBytes: 0 };
    totals.batches++;
    totals.messages += messages;
    totals.payloadBytes += payload.length;
    this.#outbound.set(channel, totals);
    let left = messages;
    for (let at = 0; at < payload.length; at += PART_BYTES) {
      const more = at + PART_BYTES < payload.length;
      const count = more ? 1 : left;
      left -= count;
      await send({
        message: {
          case: 'batch',
          value: {
            channel,
            sequence: BigInt(totals.batches),
            count,
            payload: payload.subarray(at, at + PART_BYTES),
            more,
          },
        },
      });
    }
  }

  /** True when a channel has had `batches` in all. */
  has(channel: number, batches: number): boolean {
    return this.#of(channel).batches >= batches;
  }

  /** Waits until a channel has had `batches` in all. Throws what has cut its link. */
  async arrived(channel: number, batches: number): Promise<void> {
    while (!this.has(channel, batches)) {
      if (this.#fault !== undefined) throw this.#fault;
      await this.#something();
    }
  }

  /** Hands over what a channel has had up to `batches` in all and not handed over before, oldest first. */
  take(channel: number, batches: number): Uint8Array[] {
    const inbound = this.#of(channel);
    // what came since then belongs to a later window: taken now, the run would depend on who was faster
    return inbound.waiting.splice(0, inbound.waiting.length - (inbound.batches - batches));
  }

  outbound(): ChannelTotals[] {
    return [...this.#outbound.values()].sort((x, y) => x.channel - y.channel);
  }

  /** Every channel of a neighbour is there, one on which nothing came too. */
  inbound(): ChannelTotals[] {
    return [...this.#peerOfChannel.keys()]
      .map((channel) => {
        const { batches, messages, payloadBytes } = this.#of(channel);
        return { channel, batches, messages, payloadBytes };
      })
      .sort((x, y) => x.channel - y.channel);
  }

  /** What broke one of the links; undefined while all are whole. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  fail(error: Error): void {
    if (this.#closed) return;
    this.#fault ??= error;
    this.#arrived();
  }

  /** A link broke: its neighbour died, or what carried it did. One that a neighbour ends in order fails with other words. */
  broke(peer: string, error: unknown): void {
    const message = `its link to ${peer} broke: ${(error as Error).message}`;
    this.fail(new ContractError('UNAVAILABLE', message, { cause: error }));
  }

  close(): void {
    this.#closed = true;
    this.#fault ??= new ContractError('ABORTED', 'The run was stopped.');
    this.#arrived();
    for (const close of this.#closers) close();
    this.#send.clear();
  }

  async #drain(peer: string, stream: { receive(): Promise<Incoming | undefined> }): Promise<void> {
    try {
      for (;;) {
        const message = await stream.receive();
        if (message === undefined) break;
        this.accept(peer, message);
      }
      this.fail(new ContractError('UNAVAILABLE', `${peer} ended its link.`));
    } catch (error) {
      this.broke(peer, error);
    }
  }

  #of(channel: number): Inbound {
    let inbound = this.#inbound.get(channel);
    if (inbound === undefined) {
      inbound = { batches: 0, messages: 0, payloadBytes: 0, waiting: [], part: [] };
      this.#inbound.set(channel, inbound);
    }
    return inbound;
  }

  /** Resolves when something arrives: a batch, a neighbour, a fault. */
  #something(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #arrived(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
