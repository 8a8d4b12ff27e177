import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it stands in OTLP JSON, as far as tests look. */
export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

/** Spans of OTLP JSON by name, with the service that made each. */
export function readSpans(otlpJson: Uint8Array): Map<string, OtlpSpan & { service: string }> {
  const spans = new Map<string, OtlpSpan & { service: string }>();
  if (otlpJson.length === 0) {
    return spans;
  }
  const document = JSON.parse(new TextDecoder().decode(otlpJson)) as {
    resourceSpans: {
      resource: { attributes: { key: string; value: { stringValue?: string } }[] };
      scopeSpans: { spans: OtlpSpan[] }[];
    }[];
  };
  for (const { resource, scopeSpans } of document.resourceSpans) {
    const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
    for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
      spans.set(span.name, { ...span, service });
    }
  }
  return spans;
}

/** A collector for OTLP over HTTP that answers `status` and keeps what it is sent. */
export async function startCollector(status: number): Promise<{
  endpoint: string;
  bodies: { path: string; type: string; body: Buffer }[];
  close(): Promise<void>;
}> {
  const bodies: { path: string; type: string; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const type = request.headers['content-type'] ?? '';
      bodies.push({ path: request.url ?? '', type, body: Buffer.concat(chunks) });
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bodies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
