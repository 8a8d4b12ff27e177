import { hostname } from 'node:os';
import { context, ProxyTracerProvider, propagation, type TracerProvider, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider as SdkTracerProvider } from '@opentelemetry/sdk-trace';
import type { DestinationStream, Logger } from 'pino';
import { type LogLevel, readSettings, type TelemetrySettings } from './environment.ts';
import { createLogger } from './logger.ts';
import { spansToOtlpJson } from './otlp-json.ts';
import { DEFAULT_MAX_SPANS, SpanBuffer, SpanSender } from './span-buffer.ts';

/** How telemetry of a process is started. */
export interface TelemetryOptions {
  /** `service.name` of the process: `lab`, `guest`, `backend`, `switch`, `nic`. */
  readonly service: string;
  /** `service.instance.id`, unique in a run. */
  readonly instance: string;
  /** `service.version`. */
  readonly version?: string;
  /** Level of logs when LOG_LEVEL is not set; `info` unless said otherwise. */
  readonly logLevel?: LogLevel;
  /** Spans that are kept; 32768 unless said otherwise. */
  readonly maxSpans?: number;
  /** Where logs go instead of standard error. */
  readonly logStream?: DestinationStream;
}

/** Logs and spans of one service; several may live in one process. */
export interface ServiceTelemetry {
  readonly logger: Logger;
  /** Makes spans whose resource names this service. */
  readonly tracerProvider: TracerProvider;
}

/** Spans that were taken out of the process. */
export interface TakenSpans {
  /** OTLP ExportTraceServiceRequest as JSON (UTF-8); empty when there are none. */
  readonly otlpJson: Uint8Array;
  /** Spans in it. */
  readonly spans: number;
  /** Spans dropped since the start: no room, or refused by the collector. */
  readonly dropped: number;
}

/** Telemetry of a process. */
export interface Telemetry extends ServiceTelemetry {
  /** False when the environment turns spans off. */
  readonly tracing: boolean;
  /** Logs and spans of another service in this process, with a `service.name` of its own. */
  forService(service: string, instance: string): ServiceTelemetry;
  /** Takes the spans kept since the last time; none when they are exported over HTTP. */
  takeSpansAsOtlpJson(): TakenSpans;
  /** Delivers what is left to the collector, if there is one, and gives the global providers back. */
  shutdown(): Promise<void>;
}

let running = false;

/**
 * Starts logs and spans of this process, once: pino on standard error by LOG_LEVEL, W3C trace context, spans over
 * OTLP/HTTP when OTEL_EXPORTER_OTLP_ENDPOINT is set and in memory otherwise. Throws TelemetrySettingsError for a
 * faulty environment.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  if (running) {
    throw new Error('Telemetry is started already; call shutdown() first.');
  }
  const settings = readSettings(process.env, options.logLevel ?? 'info');
  running = true;
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const buffer = new SpanBuffer(options.maxSpans ?? DEFAULT_MAX_SPANS);
  const forService = (service: string, instance: string): ServiceTelemetry => ({
    logger: createLogger({ service, instance }, settings.logLevel, options.logStream),
    tracerProvider: settings.tracing
      ? createProvider(service, instance, options.version, buffer)
      : new ProxyTracerProvider(),
  });
  const own = forService(options.service, options.instance);
  if (settings.tracing) {
    trace.setGlobalTracerProvider(own.tracerProvider);
  }
  const sender = createSender(settings, buffer, own.logger);
  return {
    ...own,
    tracing: settings.tracing,
    forService,
    takeSpansAsOtlpJson: () => {
      const spans = settings.tracing && settings.exportOverHttp ? [] : buffer.take();
      return { otlpJson: spansToOtlpJson(spans), spans: spans.length, dropped: buffer.dropped };
    },
    shutdown: async () => {
      await (await sender)?.stop();
      trace.disable();
      propagation.disable();
      context.disable();
      running = false;
    },
  };
}

/** Providers differ in their resource only; all fill one buffer. */
function createProvider(
  service: string,
  instance: string,
  version: string | undefined,
  buffer: SpanBuffer,
): TracerProvider {
  const own = resourceFromAttributes({
    'service.namespace': 'vhostlab',
    'service.name': service,
    'service.instance.id': instance,
    ...(version === undefined ? {} : { 'service.version': version }),
    'host.name': hostname(),
    'process.pid': process.pid,
  });
  const resource = detectResources({ detectors: [envDetector] }).merge(own);
  return new SdkTracerProvider({ resource, spanProcessors: [buffer] });
}

/** The exporter is loaded where spans go to an endpoint: it takes as long to load as the rest of the SDK. */
async function createSender(
  settings: TelemetrySettings,
  buffer: SpanBuffer,
  logger: Logger,
): Promise<SpanSender | undefined> {
  if (!settings.tracing || !settings.exportOverHttp) {
    return undefined;
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new SpanSender(buffer, new OTLPTraceExporter(), (spans, why) =>
    logger.warn({ spans, why }, 'spans were lost on the way to the OTLP endpoint'),
  );
}
