export type { RegionPlace, RingStart, WorkerCommand, WorkerNote } from './control/commands.ts';
export { DeviceConfigSpace } from './control/config-space.ts';
export { RealDevice } from './control/device.ts';
export { WorkerPool } from './control/worker-pool.ts';
export { latencyText } from './link/clock-estimate.ts';
export { LINK_COUNTERS, type LinkSnapshot } from './link/link-statistics.ts';
export { type LinkSpec, RealLink } from './link/real-link.ts';
export { ArenaMapper } from './memory/arena-mapper.ts';
export { OffsetAllocator } from './memory/offset-allocator.ts';
export type { PluginConfig } from './plugin/plugin-config.ts';
export { PLUGIN_MODULE, type PluginHost, pluginHost } from './plugin/plugin-host.ts';
export {
  DEFAULT_PLUGIN_SPEC,
  type ExternalPlugin,
  PLUGIN_NAMES,
  type PluginName,
  type PluginSpec,
} from './plugin/plugin-spec.ts';
export type { PluginOrder } from './plugin/plugin-worker.ts';
export { LinkPort } from './ports/link-port.ts';
export { PORT_FORMS, type PortSpec, parsePortSpec } from './ports/port-spec.ts';
export { type Backend, type BackendLog, startBackend } from './program/backend.ts';
export { DEVICE_FEATURES, DEVICE_PROTOCOL_FEATURES, offeredFeatures } from './program/offer.ts';
export { type BackendOptions, checkBackendOptions, DEFAULT_BACKEND_OPTIONS } from './program/options.ts';
export { statisticsService } from './program/statistics-service.ts';
export { type SuperviseOptions, supervise } from './program/supervise.ts';
export { QUEUE_COUNTERS, type QueueCounter } from './stats/queue-counters.ts';
export { type QueueSnapshot, SharedStatistics } from './stats/shared-statistics.ts';
export type { WorkerMode } from './worker/worker-config.ts';
