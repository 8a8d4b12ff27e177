import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { context, type TracerProvider } from '@opentelemetry/api';
import { ContractError } from './errors.ts';
import { decodeInput, encodeOutput } from './message-codec.ts';
import { type Endpoint, methodName, startServerSpan } from './tracing.ts';
import { type IncomingCall, MAX_MESSAGE_BYTES } from './transport.ts';
import type { Handlers, ServerContext } from './types.ts';

/** A service with its handlers; what servers and local transports are given. */
export interface Implementation {
  readonly service: DescService;
  /** Handlers by local name; `implement` has checked that they fit the service. */
  readonly handlers: Readonly<Record<string, (input: never, context: ServerContext) => unknown>>;
  /** Makes the spans of this service; the global provider when absent. */
  readonly tracerProvider?: TracerProvider;
}

/** Joins a service with handlers for all its methods. One implementation serves any number of transports. */
export function implement<S extends DescService>(
  service: S,
  handlers: Handlers<S>,
  tracerProvider?: TracerProvider,
): Implementation {
  const untyped = handlers as Implementation['handlers'];
  const bound = Object.fromEntries(
    service.methods.map((method) => {
      const handler = untyped[method.localName];
      if (typeof handler !== 'function') {
        throw new Error(`The implementation of ${service.typeName} lacks a handler for ${method.name}.`);
      }
      return [method.localName, handler.bind(handlers)];
    }),
  );
  const implementation = { service, handlers: bound };
  return tracerProvider === undefined ? implementation : { ...implementation, tracerProvider };
}

/**
 * Serves one call from its first to its last byte: span, decoding, handler, encoding. Resolves when the call has
 * succeeded; throws what the handler threw, or a ContractError.
 */
export async function serveCall(
  implementation: Implementation,
  method: DescMethod,
  call: IncomingCall,
  endpoint: Endpoint,
): Promise<void> {
  const { handlers, tracerProvider } = implementation;
  const span = startServerSpan(tracerProvider, method, endpoint, call.metadata, call.peer);
  try {
    await context.with(span.context, () => answer(handlers[method.localName]!, method, call));
    span.end(undefined);
  } catch (error) {
    span.end(error);
    throw error;
  }
}

async function answer(
  handler: (input: never, context: ServerContext) => unknown,
  method: DescMethod,
  call: IncomingCall,
): Promise<void> {
  const serverContext: ServerContext = {
    method: methodName(method),
    metadata: call.metadata,
    deadlineAt: call.deadlineAt,
    signal: call.signal,
    peer: call.peer,
  };
  const cancelled = whenCancelled(call.signal);
  try {
    const streamsIn = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
    const input = streamsIn
      ? decodeAll(method, call.requests)
      : await cancelled.or(single(method, call.requests));
    const output = handler(input as never, serverContext);
    if (method.methodKind === 'unary' || method.methodKind === 'client_streaming') {
      await call.send(encodeResponse(method, await cancelled.or(Promise.resolve(output))));
    } else {
      await sendAll(method, output as AsyncIterable<unknown>, call, cancelled);
    }
  } finally {
    cancelled.stop();
  }
}

async function sendAll(
  method: DescMethod,
  output: AsyncIterable<unknown>,
  call: IncomingCall,
  cancelled: Cancellation,
): Promise<void> {
  const iterator = output[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await cancelled.or(iterator.next());
      if (result.done === true) {
        return;
      }
      const room = call.send(encodeResponse(method, result.value));
      if (room !== undefined) {
        await cancelled.or(room);
      }
    }
  } catch (error) {
    // A generator that still waits inside next() takes the return when it wakes; nobody waits for it here.
    iterator.return?.()?.then(undefined, () => undefined);
    throw error;
  }
}

/** Waits that end when the caller gives up. */
interface Cancellation {
  /** Settles as `work` does, or fails when the caller gives up. One wait at a time. */
  or<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

/**
 * Watches a caller. A stream of a million messages waits a million times: a race with one long-lived promise would keep
 * something of each until the stream ends, so the present wait alone is known here.
 */
function whenCancelled(signal: AbortSignal): Cancellation {
  let failure: ContractError | undefined;
  let giveUp: ((reason: ContractError) => void) | undefined;
  const onAbort = (): void => {
    failure = new ContractError('CANCELLED', 'The caller gave the call up.');
    giveUp?.(failure);
  };
  if (signal.aborted) {
    onAbort();
  } else {
    signal.addEventListener('abort', onAbort, { once: true });
  }
  return {
    or: (work) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        work.then(resolve, reject);
        if (failure !== undefined) {
          reject(failure);
        }
      }),
    stop: () => signal.removeEventListener('abort', onAbort),
  };
}

async function single(method: DescMethod, requests: AsyncIterable<Uint8Array>): Promise<Message> {
  let first: Message | undefined;
  for await (const bytes of requests) {
    if (first !== undefined) {
      throw new ContractError('INVALID_ARGUMENT', `${methodName(method)} takes one message and got more.`);
    }
    first = decodeRequest(method, bytes);
  }
  if (first === undefined) {
    throw new ContractError('INVALID_ARGUMENT', `${methodName(method)} takes one message and got none.`);
  }
  return first;
}

async function* decodeAll(method: DescMethod, requests: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  for await (const bytes of requests) {
    yield decodeRequest(method, bytes);
  }
}

function decodeRequest(method: DescMethod, bytes: Uint8Array): Message {
  try {
    return decodeInput(method, bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ContractError('INVALID_ARGUMENT', `Not a ${method.input.typeName}: ${why}.`, { cause });
  }
}

function encodeResponse(method: DescMethod, value: unknown): Uint8Array {
  const bytes = encodeOutput(method, value);
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new ContractError(
      'RESOURCE_EXHAUSTED',
      `The answer of ${methodName(method)} has ${bytes.length} bytes; a message has at most ${MAX_MESSAGE_BYTES}.`,
    );
  }
  return bytes;
}
