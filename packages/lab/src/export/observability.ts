/** Name of the compose profile with the collector and the page of spans. */
export const OBSERVABILITY = 'observability';

/** File of an export that turns the profile on and tells every service where its spans go. */
export const OBSERVABILITY_ENV = 'observability.env';

/** File of the collector's configuration in an export. */
export const COLLECTOR_FILE = 'collector.yaml';

const COLLECTOR_IMAGE = 'otel/opentelemetry-collector:0.115.0';
const JAEGER_IMAGE = 'jaegertracing/all-in-one:1.64.0';
const OTLP_HTTP_PORT = 4318;
const OTLP_GRPC_PORT = 4317;
const PAGE_PORT = 16686;
const COLLECTOR_CONFIG = '/etc/vhostlab/collector.yaml';

/** Environment of a service of ours: spans go nowhere while the variable is empty. */
export const SPANS_ENVIRONMENT = { OTEL_EXPORTER_OTLP_ENDPOINT: '${VHOSTLAB_OTLP_ENDPOINT:-}' } as const;

/**
 * The services of the profile: a collector, which all others reach on the network `control`, and Jaeger, whose page is
 * published on this machine alone. Neither has a capability; images and port are variables of the environment.
 */
export function observabilityServices(common: Record<string, unknown>): Record<string, unknown> {
  const own = { ...common, profiles: [OBSERVABILITY] };
  return {
    collector: {
      ...own,
      image: `\${VHOSTLAB_COLLECTOR_IMAGE:-${COLLECTOR_IMAGE}}`,
      command: [`--config=${COLLECTOR_CONFIG}`],
      volumes: [`./${COLLECTOR_FILE}:${COLLECTOR_CONFIG}:ro`],
      networks: ['control', OBSERVABILITY],
      expose: [String(OTLP_HTTP_PORT)],
    },
    jaeger: {
      ...own,
      image: `\${VHOSTLAB_JAEGER_IMAGE:-${JAEGER_IMAGE}}`,
      environment: { COLLECTOR_OTLP_ENABLED: 'true', SPAN_STORAGE_TYPE: 'memory' },
      networks: [OBSERVABILITY],
      ports: [`127.0.0.1:\${VHOSTLAB_JAEGER_PORT:-${PAGE_PORT}}:${PAGE_PORT}`],
    },
  };
}

/** Networks of the profile: that of the page leads out, or nothing could be published on it. */
export const OBSERVABILITY_NETWORKS = { [OBSERVABILITY]: {} } as const;

/** What the collector does: takes spans over OTLP/HTTP and hands them to Jaeger in batches. */
export function collectorConfig(): Record<string, unknown> {
  return {
    receivers: { otlp: { protocols: { http: { endpoint: `0.0.0.0:${OTLP_HTTP_PORT}` } } } },
    processors: { batch: {}, memory_limiter: { check_interval: '1s', limit_mib: 200 } },
    exporters: { 'otlp/jaeger': { endpoint: `jaeger:${OTLP_GRPC_PORT}`, tls: { insecure: true } } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        traces: {
          receivers: ['otlp'],
          processors: ['memory_limiter', 'batch'],
          exporters: ['otlp/jaeger'],
        },
      },
    },
  };
}

/** The text of `observability.env`. */
export function observabilityEnv(): string {
  return [
    '# docker-compose --env-file observability.env up -d: the lab with a collector and Jaeger at http://127.0.0.1:16686',
    `COMPOSE_PROFILES=${OBSERVABILITY}`,
    `VHOSTLAB_OTLP_ENDPOINT=http://collector:${OTLP_HTTP_PORT}`,
    `VHOSTLAB_COLLECTOR_IMAGE=${COLLECTOR_IMAGE}`,
    `VHOSTLAB_JAEGER_IMAGE=${JAEGER_IMAGE}`,
    `VHOSTLAB_JAEGER_PORT=${PAGE_PORT}`,
    '',
  ].join('\n');
}
