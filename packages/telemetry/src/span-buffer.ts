import { context, TraceFlags } from '@opentelemetry/api';
import { ExportResultCode, suppressTracing } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

/** Spans of one process: about 700 bytes each as OTLP JSON, so that all of them fit one message of 64 MiB. */
export const DEFAULT_MAX_SPANS = 32_768;

/**
 * Keeps finished spans in memory until they are taken, and counts those for which there is no room: the SDK's own
 * batch processor drops without a word.
 */
export class SpanBuffer implements SpanProcessor {
  #spans: ReadableSpan[] = [];
  #dropped = 0;
  readonly #maxSpans: number;

  constructor(maxSpans: number) {
    this.#maxSpans = maxSpans;
  }

  /** Spans dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  get size(): number {
    return this.#spans.length;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) {
      return;
    }
    if (this.#spans.length >= this.#maxSpans) {
      this.#dropped += 1;
    } else {
      this.#spans.push(span);
    }
  }

  /** Takes at most `most` spans, oldest first. */
  take(most = this.#spans.length): ReadableSpan[] {
    return this.#spans.splice(0, most);
  }

  /** Counts spans that were taken and could not be delivered. */
  countLost(spans: number): void {
    this.#dropped += spans;
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

const EXPORT_INTERVAL_MS = 5000;
const EXPORT_BATCH = 512;

/** Sends what a buffer holds to an exporter every 5 s; what the exporter refuses is counted as dropped. */
export class SpanSender {
  readonly #buffer: SpanBuffer;
  readonly #exporter: SpanExporter;
  readonly #onLost: (spans: number, why: string) => void;
  readonly #timer: NodeJS.Timeout;
  #sending: Promise<void> = Promise.resolve();

  constructor(buffer: SpanBuffer, exporter: SpanExporter, onLost: (spans: number, why: string) => void) {
    this.#buffer = buffer;
    this.#exporter = exporter;
    this.#onLost = onLost;
    this.#timer = setInterval(() => void this.flush(), EXPORT_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Sends all that is there now; resolves when it is delivered or counted as lost. */
  flush(): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      while (this.#buffer.size > 0) {
        await this.#send(this.#buffer.take(EXPORT_BATCH));
      }
    });
    return this.#sending;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#exporter.shutdown();
  }

  /** The exporter has a deadline of its own (OTEL_EXPORTER_OTLP_TIMEOUT, 10 s). */
  #send(spans: ReadableSpan[]): Promise<void> {
    return new Promise((resolve) => {
      context.with(suppressTracing(context.active()), () => {
        this.#exporter.export(spans, ({ code, error }) => {
          if (code !== ExportResultCode.SUCCESS) {
            this.#buffer.countLost(spans.length);
            this.#onLost(spans.length, error?.message ?? 'the exporter gave no reason');
          }
          resolve();
        });
      });
    });
  }
}
