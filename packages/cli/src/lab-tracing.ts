import type { Tracing } from '@vhostlab/lab';
import { VERSION } from './version.ts';

/** Where the spans of a lab that stays up go, and how that ends. */
export interface LabTracing {
  readonly tracing: Tracing;
  /** Delivers what is left. */
  shutdown(): Promise<void>;
}

const NONE: LabTracing = {
  tracing: {
    providerFor: () => undefined,
    takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
  },
  shutdown: async () => undefined,
};

/** Spans of a lab that stays up, made only where OpenTelemetry's variables say who takes them. */
export async function labTracing(instance: string): Promise<LabTracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = process.env;
  if (!OTEL_EXPORTER_OTLP_ENDPOINT && !OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return NONE;
  const tracing = (await import('./tracing.ts')).startTracing('lab', instance, VERSION);
  return { tracing, shutdown: () => tracing.telemetry.shutdown() };
}
