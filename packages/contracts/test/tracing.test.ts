import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { createClient, implement, withSpan } from '@vhostlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EchoService } from './gen/vhostlab/test/v1/echo_pb.ts';
import { installPropagation, type RecordedSpan, recordingProvider } from './support/recording-tracer.ts';
import { WAYS } from './support/transports.ts';

/** A service that passes what it is told on to another one. */
function relay(service: string, spans: RecordedSpan[], next?: (text: string) => Promise<string>) {
  const unused = async (): Promise<never> => {
    throw new Error('not called');
  };
  return implement(
    EchoService,
    {
      say: async ({ text }, { metadata }) => ({
        text: next === undefined ? text : await next(text),
        traceparent: metadata.traceparent ?? '',
      }),
      repeat: async function* ({ times }) {
        for (let index = 0; index < times; index += 1) {
          yield { index, text: next === undefined ? '' : await next(`${index}`) };
        }
      },
      join: unused,
      chat: async function* () {
        await unused();
        yield {};
      },
    },
    recordingProvider(service, spans),
  );
}

describe.each(WAYS)('trace context over $name', ({ name, join }) => {
  let uninstall: () => void;
  beforeAll(() => {
    uninstall = installPropagation();
  });
  afterAll(() => uninstall());

  it('makes one trace of lab, backend and nic, parent by parent', async () => {
    const spans: RecordedSpan[] = [];
    const nic = await join([relay('nic', spans)]);
    const backendSide = createClient(EchoService, nic.transport, {
      tracerProvider: recordingProvider('backend', spans),
    });
    const backend = await join([
      relay('backend', spans, async (text) => (await backendSide.say({ text: `${text}!` })).text),
    ]);
    const tracerProvider = recordingProvider('lab', spans);
    const lab = createClient(EchoService, backend.transport, { tracerProvider });
    const answer = await withSpan(tracerProvider, 'run', { seed: 1 }, () => lab.say({ text: 'a' }));
    expect(answer.text).toBe('a!');
    expect(spans.map(({ service, name, kind }) => [service, name, kind])).toEqual([
      ['lab', 'run', undefined],
      ['lab', 'vhostlab.test.v1.EchoService/Say', SpanKind.CLIENT],
      ['backend', 'vhostlab.test.v1.EchoService/Say', SpanKind.SERVER],
      ['backend', 'vhostlab.test.v1.EchoService/Say', SpanKind.CLIENT],
      ['nic', 'vhostlab.test.v1.EchoService/Say', SpanKind.SERVER],
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([
      undefined,
      ...spans.slice(0, -1).map(({ spanId }) => spanId),
    ]);
    expect(answer.traceparent).toBe(`00-${spans[1]!.traceId}-${spans[1]!.spanId}-01`);
    expect(spans.map(({ ended }) => ended)).toEqual([1, 1, 1, 1, 1]);
    await backend.close();
    await nic.close();
  });

  it('keeps the context inside streaming handlers', async () => {
    const spans: RecordedSpan[] = [];
    const nic = await join([relay('nic', spans)]);
    const inner = createClient(EchoService, nic.transport, {
      tracerProvider: recordingProvider('backend', spans),
    });
    const backend = await join([relay('backend', spans, async (text) => (await inner.say({ text })).text)]);
    const lab = createClient(EchoService, backend.transport, {
      tracerProvider: recordingProvider('lab', spans),
    });
    const texts: string[] = [];
    for await (const { text } of lab.repeat({ times: 3 })) {
      texts.push(text);
    }
    expect(texts).toEqual(['0', '1', '2']);
    const [outer, served, ...calls] = spans;
    expect(served!.parentSpanId).toBe(outer!.spanId);
    const made = calls.filter(({ service }) => service === 'backend');
    expect(made.map(({ parentSpanId }) => parentSpanId)).toEqual(Array(3).fill(served!.spanId));
    expect(spans.every(({ ended }) => ended === 1)).toBe(true);
    await backend.close();
    await nic.close();
  });

  it('describes calls by the semantic conventions for RPC', async () => {
    const spans: RecordedSpan[] = [];
    const joined = await join([relay('nic', spans)]);
    const tracerProvider = recordingProvider('lab', spans);
    const client = createClient(EchoService, joined.transport, { tracerProvider });
    await client.say({});
    await expect(client.join().finish()).rejects.toThrow('not called');
    const [ok, okServed, failed, failedServed] = spans;
    for (const span of [ok!, okServed!]) {
      expect(span.attributes).toMatchObject({
        'rpc.system.name': name === 'local transport' ? 'vhostlab_local' : 'grpc',
        'rpc.method': 'vhostlab.test.v1.EchoService/Say',
        'rpc.status_code': 'OK',
        'server.address': joined.transport.address,
      });
      expect(span.attributes['server.port']).toBe(joined.transport.port);
      expect(span.status).toBeUndefined();
    }
    for (const span of [failed!, failedServed!]) {
      expect(span.attributes).toMatchObject({ 'rpc.status_code': 'INTERNAL', 'error.type': 'INTERNAL' });
      expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message: 'not called' });
    }
    await joined.close();
  });
});
