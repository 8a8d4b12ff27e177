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
import { ContractError } from './errors.ts';
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
      : await Promise.race([single(method, call.requests), cancelled.promise]);
    const output = handler(input as never, serverContext);
    if (method.methodKind === 'unary' || method.methodKind === 'client_streaming') {
      await call.send(encodeResponse(method, await Promise.race([output, cancelled.promise])));
    } else {
      await sendAll(method, output as AsyncIterable<unknown>, call, cancelled.promise);
    }
  } finally {
    cancelled.stop();
  }
}

async function sendAll(
  method: DescMethod,
  output: AsyncIterable<unknown>,
  call: IncomingCall,
  cancelled: Promise<never>,
): Promise<void> {
  const iterator = output[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await Promise.race([iterator.next(), cancelled]);
      if (result.done === true) {
        return;
      }
      const room = call.send(encodeResponse(method, result.value));
      if (room !== undefined) {
        await Promise.race([room, cancelled]);
      }
    }
  } catch (error) {
    // A generator that still waits inside next() takes the return when it wakes; nobody waits for it here.
    iterator.return?.()?.then(undefined, () => undefined);
    throw error;
  }
}

/** A promise that fails when the caller gives up, and only then. */
function whenCancelled(signal: AbortSignal): { promise: Promise<never>; stop: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new ContractError('CANCELLED', 'The caller gave the call up.'));
  promise.catch(() => undefined);
  if (signal.aborted) {
    onAbort();
  } else {
    signal.addEventListener('abort', onAbort, { once: true });
  }
  return { promise, stop: () => signal.removeEventListener('abort', onAbort) };
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
    return fromBinary(method.input, bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ContractError('INVALID_ARGUMENT', `Not a ${method.input.typeName}: ${why}.`, { cause });
  }
}

function encodeResponse(method: DescMethod, value: unknown): Uint8Array {
  const message = create(method.output, value as MessageInitShape<typeof method.output>);
  const bytes = toBinary(method.output, message);
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new ContractError(
      'RESOURCE_EXHAUSTED',
      `The answer of ${methodName(method)} has ${bytes.length} bytes; a message has at most ${MAX_MESSAGE_BYTES}.`,
    );
  }
  return bytes;
}
