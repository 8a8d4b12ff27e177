import { trace } from '@opentelemetry/api';
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { LogLevel } from './environment.ts';

/** Who logs. */
export interface LogSource {
  readonly service: string;
  readonly instance: string;
}

/**
 * A logger that writes one JSON object per line to standard error, with service, instance and, inside a call, the
 * trace it belongs to. Writing is synchronous, so that the last line of a dying process is there.
 */
export function createLogger(
  source: LogSource,
  level: LogLevel,
  stream: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: { service: source.service, instance: source.instance, pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      mixin: () => {
        const span = trace.getActiveSpan()?.spanContext();
        return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
      },
    },
    stream,
  );
}
