// logs without spans: the OpenTelemetry SDK is not loaded, which takes a process a third of its start
import type { Logger } from 'pino';
import { readSettings } from './environment.ts';
import { createLogger, type LogSource } from './logger.ts';

export type { Logger } from 'pino';

/** True when the environment asks for spans over OTLP/HTTP. Throws TelemetrySettingsError for a faulty environment. */
export function exportsSpans(env: NodeJS.ProcessEnv): boolean {
  const { tracing, exportOverHttp } = readSettings(env, 'warn');
  return tracing && exportOverHttp;
}

/** Logs of a service that makes no spans: warnings and worse unless LOG_LEVEL says otherwise. Throws TelemetrySettingsError. */
export function startLogging(source: LogSource): Logger {
  return createLogger(source, readSettings(process.env, 'warn').logLevel);
}
