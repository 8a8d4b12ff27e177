export type { BackendName, Offloads, ScenarioConfig } from '@vhostlab/workload';
export { PAGE_SIZES } from '@vhostlab/workload';
export { type BackendHost, backendHost } from './backend-definition.ts';
export { offeredFeatures } from './features.ts';
export { definePlugin, type PluginCapability, type PluginDefinition } from './plugin.ts';
export { scenarioSchema } from './scenario-schema.ts';
export { TlbCharges } from './tlb-charges.ts';
export { VhostControl, type VhostEvents } from './vhost-control.ts';
export { VECTOR_RX, VECTOR_TX, VhostPair, type VhostPairOptions } from './vhost-pair.ts';
