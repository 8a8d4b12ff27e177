export type { Logger } from 'pino';
export { LOG_LEVELS, type LogLevel, TelemetrySettingsError } from './environment.ts';
export { mergeOtlpJson } from './otlp-json.ts';
export {
  type ServiceTelemetry,
  startTelemetry,
  type TakenSpans,
  type Telemetry,
  type TelemetryOptions,
} from './telemetry.ts';
