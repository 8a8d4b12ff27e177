import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** Spans as OTLP ExportTraceServiceRequest in JSON (UTF-8); empty bytes when there are none. */
export function spansToOtlpJson(spans: ReadableSpan[]): Uint8Array {
  if (spans.length === 0) {
    return new Uint8Array(0);
  }
  const bytes = JsonTraceSerializer.serializeRequest(spans);
  if (bytes === undefined) {
    throw new Error('The OTLP serializer refused finished spans.');
  }
  return bytes;
}

/**
 * One OTLP JSON document of the documents of several processes, in the given order; empty parts are skipped. Throws
 * when a part is no OTLP JSON.
 */
export function mergeOtlpJson(parts: readonly Uint8Array[]): Uint8Array {
  const resourceSpans: unknown[] = [];
  for (const [at, part] of parts.entries()) {
    if (part.length === 0) {
      continue;
    }
    const document = JSON.parse(new TextDecoder().decode(part)) as { resourceSpans?: unknown };
    if (!Array.isArray(document.resourceSpans)) {
      throw new Error(`Part ${at} of the spans has no resourceSpans; it is no OTLP JSON.`);
    }
    resourceSpans.push(...document.resourceSpans);
  }
  return new TextEncoder().encode(`${JSON.stringify({ resourceSpans })}\n`);
}
