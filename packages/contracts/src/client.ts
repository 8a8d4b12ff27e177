import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { context, type TracerProvider } from '@opentelemetry/api';
import { ContractError, callError } from './errors.ts';
import { type CallSpan, methodName, startClientSpan } from './tracing.ts';
import { type CallMetadata, MAX_MESSAGE_BYTES, type RawCall, type Transport } from './transport.ts';
import type { BidiStream, CallOptions, Client, ClientStream, ServerStream } from './types.ts';

/** What holds for all calls of a client. */
export interface ClientOptions {
  /** Deadline of calls with one answer when the call sets none, in milliseconds; 30 s unless said otherwise. */
  defaultTimeoutMs?: number;
  /** Makes the client's spans; the global provider when absent. */
  tracerProvider?: TracerProvider;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A typed promise client of a service over any transport. Calls with one answer have a deadline of 30 s unless the
 * options say otherwise, calls with a stream of answers have none. All failures are ContractErrors.
 */
export function createClient<S extends DescService>(
  service: S,
  transport: Transport,
  options: ClientOptions = {},
): Client<S> {
  const methods = service.methods.map((method) => [method.localName, bind(method, transport, options)]);
  return Object.fromEntries(methods) as Client<S>;
}

function bind(method: DescMethod, transport: Transport, options: ClientOptions): unknown {
  const timeoutMs = options.defaultTimeoutMs ?? DEFAULT_TIMEOUT_MS;
  const open = (own: CallOptions | undefined, usualTimeoutMs: number): Call =>
    new Call(method, transport, { timeoutMs: usualTimeoutMs, ...own }, options.tracerProvider);
  switch (method.methodKind) {
    case 'unary':
      return async (request: unknown, own?: CallOptions): Promise<Message> => {
        const call = open(own, timeoutMs);
        await call.send(request);
        call.closeSend();
        return call.single();
      };
    case 'server_streaming':
      return (request: unknown, own?: CallOptions): ServerStream<Message> => {
        const call = open(own, Number.POSITIVE_INFINITY);
        // A failure to send shows in the answers.
        call.send(request).then(
          () => call.closeSend(),
          () => undefined,
        );
        return call;
      };
    case 'client_streaming':
      return (own?: CallOptions): ClientStream<unknown, Message> => open(own, timeoutMs);
    case 'bidi_streaming':
      return (own?: CallOptions): BidiStream<unknown, Message> => open(own, Number.POSITIVE_INFINITY);
  }
}

/** One call of any kind: encoding, deadline, abort and span around the transport's bytes. */
class Call implements ServerStream<Message>, ClientStream<unknown, Message>, BidiStream<unknown, Message> {
  readonly #method: DescMethod;
  readonly #raw: RawCall;
  readonly #span: CallSpan;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #timeoutMs: number;
  readonly #deadlineAt: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => {
    this.#giveUp('CANCELLED', 'The call was cancelled.');
  };
  #failure: ContractError | undefined;
  #finished = false;

  constructor(
    method: DescMethod,
    transport: Transport,
    options: CallOptions,
    provider: TracerProvider | undefined,
  ) {
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    if (timeoutMs !== Number.POSITIVE_INFINITY && !(timeoutMs >= 1 && timeoutMs <= LONGEST_TIMER_MS)) {
      throw new RangeError(`timeoutMs is ${timeoutMs}; it must be 1 to ${LONGEST_TIMER_MS} or Infinity.`);
    }
    const metadata: CallMetadata = { ...options.metadata };
    this.#method = method;
    this.#signal = options.signal;
    this.#timeoutMs = timeoutMs;
    this.#span = startClientSpan(provider, method, transport, metadata);
    const deadlineAt = Number.isFinite(timeoutMs) ? Date.now() + timeoutMs : undefined;
    this.#deadlineAt = deadlineAt;
    this.#raw = context.with(this.#span.context, () => transport.open(method, metadata, deadlineAt));
    if (deadlineAt !== undefined) {
      this.#timer = setTimeout(() => this.#giveUp('DEADLINE_EXCEEDED', this.#late()), timeoutMs);
    }
    if (options.signal?.aborted === true) {
      this.#onAbort();
    } else {
      options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  async send(value: unknown): Promise<void> {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    const message = create(this.#method.input, value as MessageInitShape<DescMethod['input']>);
    const bytes = toBinary(this.#method.input, message);
    if (bytes.length > MAX_MESSAGE_BYTES) {
      throw this.#giveUp(
        'RESOURCE_EXHAUSTED',
        `A message of ${methodName(this.#method)} has ${bytes.length} bytes; it has at most ${MAX_MESSAGE_BYTES}.`,
      );
    }
    await this.#raw.send(bytes);
  }

  closeSend(): void {
    if (!this.#finished) {
      this.#raw.closeSend();
    }
  }

  cancel(): void {
    this.#onAbort();
  }

  async receive(): Promise<Message | undefined> {
    if (this.#finished) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      return undefined;
    }
    try {
      const result = await this.#raw.responses.next();
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (result.done === true) {
        this.#finish(undefined);
        return undefined;
      }
      return fromBinary(this.#method.output, result.value);
    } catch (error) {
      throw this.#finish(error);
    }
  }

  /** The only answer of a call; a second one or none is a fault of the server. */
  async single(): Promise<Message> {
    const first = await this.receive();
    const second = first === undefined ? undefined : await this.receive();
    if (first === undefined || second !== undefined) {
      const count = first === undefined ? 'no message' : 'more than one message';
      throw this.#giveUp('INTERNAL', `${methodName(this.#method)} answered with ${count} instead of one.`);
    }
    return first;
  }

  finish(): Promise<Message> {
    this.closeSend();
    return this.single();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
    try {
      for (let message = await this.receive(); message !== undefined; message = await this.receive()) {
        yield message;
      }
    } finally {
      if (!this.#finished) {
        this.cancel();
        this.#finish(undefined);
      }
    }
  }

  /** Fails the call from this side; answers the error that all later uses of the call throw. */
  #giveUp(
    code: 'CANCELLED' | 'DEADLINE_EXCEEDED' | 'RESOURCE_EXHAUSTED' | 'INTERNAL',
    why: string,
  ): ContractError {
    const failure = this.#failure ?? callError(this.#method, code, why);
    this.#failure = failure;
    if (!this.#finished) {
      this.#raw.cancel();
      this.#span.end(failure);
      this.#stopWatching();
    }
    return failure;
  }

  /** Ends the call with what the transport said; a failure found here earlier wins over its echo. */
  #finish(error: unknown): ContractError {
    const failure = this.#failure ?? this.#describe(error);
    if (error !== undefined) {
      this.#failure = failure;
    }
    this.#finished = true;
    this.#span.end(error === undefined ? undefined : failure);
    this.#stopWatching();
    return failure;
  }

  /** gRPC has a timer of its own, which may be first: the caller reads the same sentence either way. */
  #describe(error: unknown): ContractError {
    if (!(error instanceof ContractError)) {
      return callError(this.#method, 'INTERNAL', error instanceof Error ? error.message : String(error));
    }
    const late = error.code === 'DEADLINE_EXCEEDED' && this.#deadlineAt !== undefined;
    return late && Date.now() >= this.#deadlineAt - 1
      ? callError(this.#method, 'DEADLINE_EXCEEDED', this.#late())
      : error;
  }

  #late(): string {
    return `${methodName(this.#method)} got no answer within ${this.#timeoutMs} ms.`;
  }

  #stopWatching(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
