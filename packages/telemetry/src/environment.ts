/** What the environment says about logs and spans; the variables are those of OpenTelemetry where it has one. */
export interface TelemetrySettings {
  readonly logLevel: LogLevel;
  /** False with OTEL_SDK_DISABLED=true or OTEL_TRACES_EXPORTER=none: spans cost next to nothing and go nowhere. */
  readonly tracing: boolean;
  /** True when OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. */
  readonly exportOverHttp: boolean;
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A variable of the environment that cannot be used; its message is one sentence for the operator. */
export class TelemetrySettingsError extends Error {
  override readonly name = 'TelemetrySettingsError';
}

/** Reads the settings; throws TelemetrySettingsError for a log level or endpoint that does not exist. */
export function readSettings(env: NodeJS.ProcessEnv, defaultLogLevel: LogLevel): TelemetrySettings {
  const level = env.LOG_LEVEL?.trim().toLowerCase() || defaultLogLevel;
  const logLevel = LOG_LEVELS.find((known) => known === level);
  if (logLevel === undefined) {
    throw new TelemetrySettingsError(
      `LOG_LEVEL is "${env.LOG_LEVEL}"; it must be one of ${LOG_LEVELS.join(', ')}.`,
    );
  }
  const endpoints = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'].filter(
    (name) => (env[name] ?? '').trim() !== '',
  );
  for (const name of endpoints) {
    if (!/^https?:$/.test(URL.parse(env[name]!.trim())?.protocol ?? '')) {
      throw new TelemetrySettingsError(
        `${name} is "${env[name]}"; it must be a URL such as http://localhost:4318.`,
      );
    }
  }
  const disabled =
    env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
  return { logLevel, tracing: !disabled, exportOverHttp: endpoints.length > 0 };
}
