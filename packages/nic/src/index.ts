export { nicDefinition } from './definition.ts';
export type { DeviceConfig, FunctionConfig, HostQueueConfig } from './device.ts';
export { PcieLink, type PcieSettings } from './dma/pcie.ts';
export { offeredFeatures } from './function/features.ts';
export { hostDriverCores, nicModules, planNic } from './plan.ts';
export type { SinkReport } from './station/sink.ts';
export type { StationConfig } from './station/station.ts';
export { arrivalPs, WireSender } from './wire.ts';
export { wireTimeBytes } from './wire-time.ts';
