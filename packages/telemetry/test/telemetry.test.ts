import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { mergeOtlpJson, startTelemetry, type Telemetry } from '@vhostlab/telemetry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSpans, startCollector } from './support.ts';

const lines: Record<string, unknown>[] = [];
const logStream = { write: (line: string) => void lines.push(JSON.parse(line)) };
let telemetry: Telemetry | undefined;

function start(options: { maxSpans?: number } = {}): Telemetry {
  telemetry = startTelemetry({ service: 'lab', instance: 'lab-1', version: '0.1.0', logStream, ...options });
  return telemetry;
}

beforeEach(() => {
  lines.length = 0;
  for (const name of [
    'LOG_LEVEL',
    'OTEL_SDK_DISABLED',
    'OTEL_TRACES_EXPORTER',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  ]) {
    vi.stubEnv(name, '');
  }
});
afterEach(async () => {
  await telemetry?.shutdown();
  telemetry = undefined;
  vi.unstubAllEnvs();
});

describe('spans in memory', () => {
  it('keeps one trace over services with names of their own', () => {
    const lab = start();
    const guest = lab.forService('guest', 'guest-1');
    lab.tracerProvider.getTracer('t').startActiveSpan('run', (run) => {
      guest.tracerProvider.getTracer('t').startSpan('create', { kind: SpanKind.SERVER }).end();
      run.end();
    });
    const taken = lab.takeSpansAsOtlpJson();
    expect(taken).toMatchObject({ spans: 2, dropped: 0 });
    const spans = readSpans(taken.otlpJson);
    const run = spans.get('run')!;
    const create = spans.get('create')!;
    expect([run.service, create.service]).toEqual(['lab', 'guest']);
    expect(create.traceId).toBe(run.traceId);
    expect(create.parentSpanId).toBe(run.spanId);
    expect(create.kind).toBe(2);
    expect(BigInt(create.endTimeUnixNano) >= BigInt(create.startTimeUnixNano)).toBe(true);
  });

  it('gives every span once', () => {
    const lab = start();
    lab.tracerProvider.getTracer('t').startSpan('a').end();
    expect(lab.takeSpansAsOtlpJson().spans).toBe(1);
    const again = lab.takeSpansAsOtlpJson();
    expect(again.spans).toBe(0);
    expect(again.otlpJson).toHaveLength(0);
  });

  it('counts the spans for which there is no room', () => {
    const lab = start({ maxSpans: 3 });
    for (let at = 0; at < 10; at += 1) {
      lab.tracerProvider.getTracer('t').startSpan(`s${at}`).end();
    }
    const taken = lab.takeSpansAsOtlpJson();
    expect(taken).toMatchObject({ spans: 3, dropped: 7 });
    expect([...readSpans(taken.otlpJson).keys()]).toEqual(['s0', 's1', 's2']);
  });

  it('merges the spans of several processes and skips empty parts', () => {
    const lab = start();
    lab.tracerProvider.getTracer('t').startSpan('a').end();
    const first = lab.takeSpansAsOtlpJson().otlpJson;
    lab.forService('nic', 'nic-1').tracerProvider.getTracer('t').startSpan('b').end();
    const second = lab.takeSpansAsOtlpJson().otlpJson;
    const merged = readSpans(mergeOtlpJson([first, new Uint8Array(0), second]));
    expect([...merged.values()].map(({ name, service }) => [name, service])).toEqual([
      ['a', 'lab'],
      ['b', 'nic'],
    ]);
    expect(() => mergeOtlpJson([new TextEncoder().encode('{}')])).toThrow('Part 0');
  });

  it('carries the context in W3C form', () => {
    const lab = start();
    const carrier: Record<string, string> = {};
    lab.tracerProvider.getTracer('t').startActiveSpan('run', (run) => {
      propagation.inject(context.active(), carrier);
      const { traceId, spanId } = run.spanContext();
      expect(carrier.traceparent).toMatch(new RegExp(`^00-${traceId}-${spanId}-0[13]$`));
      run.end();
    });
  });

  it('starts once per process', async () => {
    const lab = start();
    expect(() => startTelemetry({ service: 'x', instance: 'x' })).toThrow('started already');
    await lab.shutdown();
    expect(start().tracing).toBe(true);
  });
});

describe('turned off', () => {
  it.each([
    ['OTEL_SDK_DISABLED', 'true'],
    ['OTEL_TRACES_EXPORTER', 'none'],
  ])('%s=%s records nothing', (name, value) => {
    vi.stubEnv(name, value);
    const lab = start();
    const span = lab.tracerProvider.getTracer('t').startSpan('a');
    expect(span.isRecording()).toBe(false);
    span.end();
    expect(trace.getTracer('t').startSpan('b').isRecording()).toBe(false);
    expect(lab.tracing).toBe(false);
    expect(lab.takeSpansAsOtlpJson()).toMatchObject({ spans: 0, dropped: 0 });
  });
});

describe('OTLP over HTTP', () => {
  it('delivers to the collector on shutdown and keeps nothing', async () => {
    const collector = await startCollector(200);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.endpoint);
    const lab = start();
    for (let at = 0; at < 600; at += 1) {
      lab.tracerProvider.getTracer('t').startSpan(`s${at}`).end();
    }
    expect(lab.takeSpansAsOtlpJson().spans).toBe(0);
    await lab.shutdown();
    expect(collector.bodies).toHaveLength(2);
    expect(collector.bodies[0]).toMatchObject({ path: '/v1/traces', type: 'application/json' });
    const names = collector.bodies.flatMap(({ body }) => [...readSpans(body).keys()]);
    expect(names).toEqual(Array.from({ length: 600 }, (_, at) => `s${at}`));
    await collector.close();
  });

  it('counts and reports what the collector refuses', async () => {
    const collector = await startCollector(400);
    vi.stubEnv('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', `${collector.endpoint}/v1/traces`);
    const lab = start();
    lab.tracerProvider.getTracer('t').startSpan('a').end();
    await lab.shutdown();
    expect(lab.takeSpansAsOtlpJson().dropped).toBe(1);
    expect(lines).toMatchObject([{ level: 'warn', spans: 1 }]);
    await collector.close();
  });

  it('refuses an endpoint that is no URL in one sentence', () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318');
    expect(() => start()).toThrow(
      'OTEL_EXPORTER_OTLP_ENDPOINT is "localhost:4318"; it must be a URL such as http://localhost:4318.',
    );
  });
});

describe('logs', () => {
  it('name the service and, inside a span, the trace', () => {
    const lab = start();
    lab.logger.info({ run: 7 }, 'outside');
    lab.tracerProvider.getTracer('t').startActiveSpan('run', (run) => {
      lab.forService('guest', 'guest-1').logger.warn('inside');
      const { traceId, spanId } = run.spanContext();
      expect(lines[1]).toMatchObject({ level: 'warn', service: 'guest', instance: 'guest-1', msg: 'inside' });
      expect(lines[1]).toMatchObject({ trace_id: traceId, span_id: spanId });
      run.end();
    });
    expect(lines[0]).toMatchObject({
      level: 'info',
      service: 'lab',
      instance: 'lab-1',
      run: 7,
      msg: 'outside',
    });
    expect(lines[0]).not.toHaveProperty('trace_id');
  });

  it('obey LOG_LEVEL', () => {
    vi.stubEnv('LOG_LEVEL', 'ERROR');
    const lab = start();
    lab.logger.warn('not this');
    lab.logger.error('this');
    expect(lines.map(({ msg }) => msg)).toEqual(['this']);
  });

  it('refuse an unknown LOG_LEVEL in one sentence', () => {
    vi.stubEnv('LOG_LEVEL', 'loud');
    expect(() => start()).toThrow(
      'LOG_LEVEL is "loud"; it must be one of fatal, error, warn, info, debug, trace, silent.',
    );
  });
});
