import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanOptions,
  type SpanStatus,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';

/** A span as it was recorded. */
export interface RecordedSpan {
  service: string;
  name: string;
  kind: SpanKind | undefined;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  attributes: Attributes;
  status: SpanStatus | undefined;
  ended: number;
}

let ids = 0;

/** A tracer provider that keeps spans in `spans`, written against the API alone. */
export function recordingProvider(service: string, spans: RecordedSpan[]): TracerProvider {
  const startSpan = (name: string, options: SpanOptions = {}, parent: Context = context.active()): Span => {
    const above = trace.getSpanContext(parent);
    ids += 1;
    const spanContext: SpanContext = {
      traceId: above?.traceId ?? ids.toString(16).padStart(32, '0'),
      spanId: ids.toString(16).padStart(16, '0'),
      traceFlags: 1,
    };
    const record: RecordedSpan = {
      service,
      name,
      kind: options.kind,
      traceId: spanContext.traceId,
      spanId: spanContext.spanId,
      parentSpanId: above?.spanId,
      attributes: { ...options.attributes },
      status: undefined,
      ended: 0,
    };
    spans.push(record);
    const span = {
      spanContext: () => spanContext,
      isRecording: () => record.ended === 0,
      setAttribute: (key: string, value: string) => {
        record.attributes[key] = value;
        return span;
      },
      setAttributes: (attributes: Attributes) => {
        Object.assign(record.attributes, attributes);
        return span;
      },
      setStatus: (status: SpanStatus) => {
        record.status = status;
        return span;
      },
      end: () => {
        record.ended += 1;
      },
    } as unknown as Span;
    return span;
  };
  return { getTracer: () => ({ startSpan }) } as unknown as TracerProvider;
}

/** Makes contexts follow async work and travel as W3C traceparent, as the SDK does. Answers the undoing. */
export function installPropagation(): () => void {
  const storage = new AsyncLocalStorage<Context>();
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (inside, work, self, ...args) => storage.run(inside, () => work.apply(self as never, args)),
    bind: (_, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  propagation.setGlobalPropagator({
    inject: (from, carrier, setter) => {
      const at = trace.getSpanContext(from);
      if (at !== undefined) {
        setter.set(carrier, 'traceparent', `00-${at.traceId}-${at.spanId}-01`);
      }
    },
    extract: (into, carrier, getter) => {
      const [, traceId, spanId] =
        /^00-(.{32})-(.{16})-01$/.exec(`${getter.get(carrier, 'traceparent')}`) ?? [];
      return traceId === undefined || spanId === undefined
        ? into
        : trace.setSpanContext(into, { traceId, spanId, traceFlags: 1, isRemote: true });
    },
    fields: () => ['traceparent'],
  });
  return () => {
    context.disable();
    propagation.disable();
  };
}
