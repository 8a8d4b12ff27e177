import type { DescMethod } from '@bufbuild/protobuf';
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { ContractError } from './errors.ts';
import { STATUS, type StatusCode } from './status.ts';
import type { CallMetadata } from './transport.ts';

const TRACER_NAME = '@vhostlab/contracts';

/** Who answers a call, for attributes of spans. */
export interface Endpoint {
  readonly system: string;
  readonly address: string;
  readonly port?: number;
}

/** A span of a call and the context in which the call's work runs. */
export interface CallSpan {
  readonly context: Context;
  /** Ends the span; a second end is ignored. */
  end(error: unknown): void;
}

/** Full name of a method as in paths and spans, without the leading slash. */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Starts the caller's span and writes `traceparent` into the metadata. */
export function startClientSpan(
  provider: TracerProvider | undefined,
  method: DescMethod,
  endpoint: Endpoint,
  metadata: CallMetadata,
): CallSpan {
  const span = start(provider, method, SpanKind.CLIENT, context.active());
  describe(span, method, endpoint);
  const inside = trace.setSpan(context.active(), span);
  propagation.inject(inside, metadata);
  return callSpan(span, inside);
}

/** Starts the server's span as a child of the caller's, which the metadata names. */
export function startServerSpan(
  provider: TracerProvider | undefined,
  method: DescMethod,
  endpoint: Endpoint,
  metadata: CallMetadata,
  peer: string,
): CallSpan {
  const parent = propagation.extract(ROOT_CONTEXT, metadata);
  const span = start(provider, method, SpanKind.SERVER, parent);
  describe(span, method, endpoint);
  if (span.isRecording()) {
    span.setAttribute('network.peer.address', peer);
  }
  return callSpan(span, trace.setSpan(parent, span));
}

/**
 * Runs `work` in a span of its own, the parent of all calls made meanwhile: a whole run, a phase of it. A failure is
 * recorded and thrown on. Without a provider the global one is used.
 */
export async function withSpan<T>(
  provider: TracerProvider | undefined,
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const span = (provider ?? trace).getTracer(TRACER_NAME).startSpan(name, { attributes });
  try {
    return await context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    span.setAttribute('error.type', error instanceof ContractError ? error.code : 'INTERNAL');
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}

function start(
  provider: TracerProvider | undefined,
  method: DescMethod,
  kind: SpanKind,
  parent: Context,
): Span {
  const tracer = (provider ?? trace).getTracer(TRACER_NAME);
  return tracer.startSpan(methodName(method), { kind }, parent);
}

/** Attributes of the semantic conventions for RPC. */
function describe(span: Span, method: DescMethod, endpoint: Endpoint): void {
  if (!span.isRecording()) {
    return;
  }
  const attributes: Attributes = {
    'rpc.system.name': endpoint.system,
    'rpc.method': methodName(method),
    'server.address': endpoint.address,
  };
  if (endpoint.port !== undefined) {
    attributes['server.port'] = endpoint.port;
  }
  span.setAttributes(attributes);
}

function callSpan(span: Span, inside: Context): CallSpan {
  let ended = false;
  return {
    context: inside,
    end(error) {
      if (ended) {
        return;
      }
      ended = true;
      if (span.isRecording()) {
        const code: StatusCode =
          error === undefined ? 'OK' : error instanceof ContractError ? error.code : 'INTERNAL';
        span.setAttribute('rpc.status_code', code);
        if (STATUS[code].number !== 0) {
          span.setAttribute('error.type', code);
          span.setStatus({
            code: SpanStatusCode.ERROR,
            message: error instanceof Error ? error.message : String(error),
          });
        }
      }
      span.end();
    },
  };
}
