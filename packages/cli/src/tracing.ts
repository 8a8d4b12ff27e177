import type { Tracing } from '@vhostlab/lab';
import { type ServiceTelemetry, startTelemetry, type Telemetry } from '@vhostlab/telemetry';

/** Telemetry of a process as the lab takes it, and the whole of it. */
export interface ProcessTracing extends Tracing {
  telemetry: Telemetry;
}

/** Starts telemetry; services of the same process get names of their own. */
export function startTracing(service: string, instance: string, version: string): ProcessTracing {
  const telemetry = startTelemetry({ service, instance, version, logLevel: 'warn' });
  const others = new Map<string, ServiceTelemetry>();
  return {
    telemetry,
    providerFor: (name) => {
      if (name === service) return telemetry.tracerProvider;
      let other = others.get(name);
      if (other === undefined) {
        other = telemetry.forService(name, instance);
        others.set(name, other);
      }
      return other.tracerProvider;
    },
    takeSpans: () => telemetry.takeSpansAsOtlpJson(),
  };
}
