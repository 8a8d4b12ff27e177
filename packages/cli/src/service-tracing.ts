import type { Tracing } from '@vhostlab/lab/serve';
import type { Logger } from '@vhostlab/telemetry/logging';
import { VERSION } from './version.ts';

/** Spans and logs of a service process. */
export interface ServiceTracing {
  tracing: Tracing;
  logger: Logger;
  /** Delivers what is left. */
  shutdown(): Promise<void>;
}

/** Logs, and spans if somebody wants them: `keepsSpans`, or the environment names an endpoint. */
export async function startServiceTracing(
  service: string,
  instance: string,
  keepsSpans: boolean,
): Promise<ServiceTracing> {
  const { exportsSpans, startLogging } = await import('@vhostlab/telemetry/logging');
  if (keepsSpans || exportsSpans(process.env)) {
    const tracing = (await import('./tracing.ts')).startTracing(service, instance, VERSION);
    return { tracing, logger: tracing.telemetry.logger, shutdown: () => tracing.telemetry.shutdown() };
  }
  return {
    tracing: {
      providerFor: () => undefined,
      takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
    },
    logger: startLogging({ service, instance }),
    shutdown: async () => undefined,
  };
}
