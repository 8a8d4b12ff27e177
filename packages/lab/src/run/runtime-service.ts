import {
  ContractError,
  type Handlers,
  hello,
  type Implementation,
  implement,
  linkV1,
  type MessageInitShape,
  negotiate,
  type OwnHello,
  runtimeV1,
  type Transport,
  toNumber,
  toUint64,
} from '@vhostlab/contracts';
import type { ModuleRegistry } from '@vhostlab/engine';
import { type ChannelTotals, PeerLinks } from './peer-links.ts';
import { type ProcessResults, ProcessRuntime, type Progress } from './process-runtime.ts';
import { processName } from './station.ts';

/** What a process offers besides its services. */
export interface RuntimeHost {
  own: OwnHello;
  modules: ModuleRegistry;
  /** Spans of this process as OTLP JSON, and how many were lost. */
  takeSpans(): { otlpJson: Uint8Array; dropped: number };
  /** Called when the lab asks the process to end. */
  exit(): void;
  /** Called now and then while the runtime works. */
  onProgress?(progress: Progress): void;
  /** Connects to a neighbour; over gRPC without certificates unless said otherwise. */
  connect?(address: string, peer: string): Transport;
}

const NEVER = Number.POSITIVE_INFINITY;

/** What the lab sends in a run: windows, and then its end. */
type RunRequests = AsyncIterable<{
  command:
    | {
        case: 'grant';
        value: { window: bigint; untilPs: bigint; inbound: { channel: number; batches: bigint }[] };
      }
    | { case: 'finish'; value: { abortReason: string } }
    | { case: undefined; value?: undefined };
}>;

/** RuntimeService and LinkService of one process: its part of one run at a time. */
export class RuntimeServer {
  readonly #host: RuntimeHost;
  #process: ProcessRuntime | undefined;
  #links: PeerLinks | undefined;
  /** Links of the run that goes on. */
  #running: PeerLinks | undefined;
  #name = '';
  /** Wall clock of the present run: windows without waiting, and waiting by channel. */
  #workMs = 0;
  readonly #blockedMs = new Map<number, number>();

  constructor(host: RuntimeHost) {
    this.#host = host;
  }

  /** What a server is given. */
  implementations(): Implementation[] {
    return [
      implement(runtimeV1.RuntimeService, this.#runtime()),
      implement(linkV1.LinkService, this.#link()),
    ];
  }

  /** What the present run has counted so far; undefined when none is prepared. */
  results(): ProcessResults | undefined {
    return this.#process?.results();
  }

  close(): void {
    this.#running = undefined;
    this.#links?.close();
    this.#process?.close();
    this.#links = undefined;
    this.#process = undefined;
  }

  #runtime(): Handlers<typeof runtimeV1.RuntimeService> {
    return {
      handshake: (request) => ({
        hello: negotiate(hello(this.#host.own), request.hello),
        runId: this.#running?.runId ?? '',
      }),
      prepare: (request) => this.#prepare(request),
      connect: (request) => this.#connect(request),
      run: (requests, { signal }) => this.#run(requests, signal),
      collect: () => {
        const { process, links } = this.#prepared();
        return {
          resultsJson: new TextEncoder().encode(JSON.stringify(process.results())),
          inbound: links.inbound().map(count),
          outbound: links.outbound().map(count),
          waits: [...this.#blockedMs].map(([channel, ms]) => ({ channel, blockedNs: nanoseconds(ms) })),
        };
      },
      readLog: () => this.#readLog(),
      readSpans: () => {
        const { otlpJson, dropped } = this.#host.takeSpans();
        return { otlpJson, dropped: toUint64(dropped) };
      },
      stop: ({ exit }) => {
        this.close();
        if (exit) setImmediate(() => this.#host.exit());
        return {};
      },
    };
  }

  #link(): Handlers<typeof linkV1.LinkService> {
    const server = this;
    return {
      async *exchange(requests, context) {
        const { links } = server.#prepared();
        const iterator = requests[Symbol.asyncIterator]();
        const first = await iterator.next();
        if (first.done || first.value.message.case !== 'opening') {
          throw new ContractError('INVALID_ARGUMENT', 'The first message of a link must be its opening.');
        }
        links.check(first.value.message.value);
        const peer = first.value.message.value.process;
        const queue: MessageInitShape<typeof linkV1.ExchangeResponseSchema>[] = [links.opening()];
        let wake: () => void = () => undefined;
        let ended = false;
        links.attach(peer, async (message) => {
          queue.push(message);
          wake();
        });
        const reading = (async () => {
          try {
            for (;;) {
              const next = await iterator.next();
              if (next.done) break;
              links.accept(peer, next.value);
            }
            links.fail(new ContractError('UNAVAILABLE', `${peer} ended its link.`));
          } catch (error) {
            links.broke(peer, error);
          }
          ended = true;
          wake();
        })();
        context.signal.addEventListener('abort', () => {
          ended = true;
          wake();
        });
        while (!ended || queue.length > 0) {
          const message = queue.shift();
          if (message !== undefined) yield message;
          else {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
        await reading;
      },
    };
  }

  #prepare(request: {
    runId: string;
    planJson: Uint8Array;
    services: string[];
    profileJson: string;
  }): MessageInitShape<typeof runtimeV1.PrepareResponseSchema> {
    if (this.#running !== undefined) {
      throw new ContractError(
        'FAILED_PRECONDITION',
        `${this.#name} takes part in run ${this.#running.runId} of another lab; wait for its end, or start a service of your own.`,
      );
    }
    this.close();
    this.#workMs = 0;
    this.#blockedMs.clear();
    this.#name = processName(request.services);
    let process: ProcessRuntime;
    try {
      process = new ProcessRuntime(
        request.planJson,
        request.profileJson,
        request.services,
        this.#host.modules,
      );
    } catch (error) {
      throw new ContractError('INVALID_ARGUMENT', (error as Error).message, { cause: error });
    }
    this.#process = process;
    this.#links = new PeerLinks(request.runId, this.#name, process.planSha256, this.#host.connect);
    const cores = process.plan.cores.filter(({ service }) => request.services.includes(service));
    return {
      cores: cores.map(({ id }) => id),
      planSha256: process.planSha256,
      lookaheadPs: this.#lookaheadPs(process),
    };
  }

  async #connect(request: {
    peers: { name: string; address: string; channels: string[]; dial: boolean }[];
    timeoutMs: number;
  }): Promise<MessageInitShape<typeof runtimeV1.ConnectResponseSchema>> {
    const { process, links } = this.#prepared();
    const index = new Map(process.plan.channels.map(({ id }, i) => [id, i]));
    for (const peer of request.peers) {
      links.expect(
        peer.name,
        peer.channels.map((id) => index.get(id) ?? -1),
      );
    }
    const timeoutMs = request.timeoutMs || 10_000;
    await Promise.all(
      request.peers.filter(({ dial }) => dial).map((peer) => links.dial(peer.name, peer.address, timeoutMs)),
    );
    const peers = request.peers.map(({ name }) => name);
    await links.connected(peers, timeoutMs);
    return { peers };
  }

  async *#run(
    requests: RunRequests,
    gone: AbortSignal,
  ): AsyncGenerator<MessageInitShape<typeof runtimeV1.RunResponseSchema>> {
    const { process, links } = this.#prepared();
    if (this.#running !== undefined)
      throw new ContractError('FAILED_PRECONDITION', 'The run has begun already.');
    this.#running = links;
    const end = (): void => {
      if (this.#running === links) this.#running = undefined;
    };
    // a lab that is gone ends its part of the run, whatever that waits for
    const onGone = (): void => {
      end();
      process.stop();
      links.close();
    };
    gone.addEventListener('abort', onGone, { once: true });
    try {
      yield* this.#windows(process, links, requests);
    } finally {
      gone.removeEventListener('abort', onGone);
      end();
    }
  }

  async *#windows(
    process: ProcessRuntime,
    links: PeerLinks,
    requests: RunRequests,
  ): AsyncGenerator<MessageInitShape<typeof runtimeV1.RunResponseSchema>> {
    const ids = process.plan.channels.map(({ id }) => id);
    const index = new Map(ids.map((id, i) => [id, i]));
    yield { report: this.#report(0n, process, links, NEVER) };
    for await (const { command } of requests) {
      if (command.case !== 'grant') {
        if (command.case === 'finish' && command.value.abortReason !== '') process.stop();
        break;
      }
      const { window, untilPs, inbound } = command.value;
      try {
        // a link that is not needed now may be needed next
        if (links.fault !== undefined) throw links.fault;
        let blockedMs = 0;
        const beganMs = performance.now();
        for (const { channel, batches } of inbound) {
          const count = Number(batches);
          if (!links.has(channel, count)) {
            const fromMs = performance.now();
            await links.arrived(channel, count);
            const ms = performance.now() - fromMs;
            blockedMs += ms;
            this.#blockedMs.set(channel, (this.#blockedMs.get(channel) ?? 0) + ms);
          }
          for (const bytes of links.take(channel, count)) process.runtime.inject(ids[channel], bytes);
        }
        await process.advance(toNumber(untilPs), () => this.#host.onProgress?.(process.progress()));
        let earliest = NEVER;
        const sends: Promise<void>[] = [];
        for (const batch of process.runtime.takeOutgoing()) {
          if (batch.firstPs < earliest) earliest = batch.firstPs;
          sends.push(links.send(index.get(batch.channel) as number, batch.bytes, batch.messages));
        }
        await Promise.all(sends);
        this.#workMs += performance.now() - beganMs - blockedMs;
        yield { report: this.#report(window, process, links, earliest) };
      } catch (error) {
        yield { report: { window, state: runtimeV1.RunState.FAULT, fault: (error as Error).message } };
        return;
      }
    }
    process.runtime.log.flush();
  }

  #report(
    window: bigint,
    process: ProcessRuntime,
    links: PeerLinks,
    earliestPs: number,
  ): MessageInitShape<typeof runtimeV1.ReportSchema> {
    const next = process.runtime.nextPs();
    const { delivered, reachedPs } = process.progress();
    return {
      window,
      state: next === NEVER ? runtimeV1.RunState.DONE : runtimeV1.RunState.RUNNING,
      ...(next === NEVER ? {} : { nextEventPs: toUint64(next) }),
      ...(earliestPs === NEVER ? {} : { earliestOutboundPs: toUint64(earliestPs) }),
      outbound: links.outbound().map(count),
      packetsDone: toUint64(delivered),
      nowPs: toUint64(reachedPs),
      taskRuns: toUint64(process.runtime.runs),
      workNs: nanoseconds(this.#workMs),
      blockedNs: nanoseconds([...this.#blockedMs.values()].reduce((sum, ms) => sum + ms, 0)),
    };
  }

  async *#readLog(): AsyncGenerator<MessageInitShape<typeof runtimeV1.ReadLogResponseSchema>> {
    const { process } = this.#prepared();
    process.runtime.log.flush();
    yield { part: { case: 'strings', value: { strings: process.runtime.log.strings } } };
    for (const chunk of process.log.chunks()) yield { part: { case: 'records', value: chunk } };
    yield { part: { case: 'end', value: { records: toUint64(process.runtime.log.records), lost: 0n } } };
  }

  #lookaheadPs(process: ProcessRuntime): bigint {
    const service = new Map(process.plan.cores.map(({ id, service: name }) => [id, name]));
    let least = 0;
    for (const { a, b, latencyPs } of process.plan.channels) {
      const here = [a.core, b.core].map((core) => process.services.includes(service.get(core) as string));
      if (here[0] === here[1]) continue;
      const latency = Math.min(latencyPs.ab, latencyPs.ba);
      if (least === 0 || latency < least) least = latency;
    }
    return toUint64(least);
  }

  #prepared(): { process: ProcessRuntime; links: PeerLinks } {
    if (this.#process === undefined || this.#links === undefined) {
      throw new ContractError('FAILED_PRECONDITION', 'No run is prepared; call Prepare first.');
    }
    return { process: this.#process, links: this.#links };
  }
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}

function count({ channel, batches, messages, payloadBytes }: ChannelTotals) {
  return {
    channel,
    batches: toUint64(batches),
    messages: toUint64(messages),
    payloadBytes: toUint64(payloadBytes),
  };
}
