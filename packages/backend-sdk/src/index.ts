export type { BackendName, GuestRegion, Offloads, ScenarioConfig } from '@vhostlab/workload';
export { guestMemoryRegions, PAGE_SIZES } from '@vhostlab/workload';
export { type BackendHost, backendHost } from './backend-definition.ts';
export { offeredFeatures } from './features.ts';
export { frameBufferBytes, hasGsoFrames, wireBufferBytes } from './frame-buffers.ts';
export { definePlugin, type PluginCapability, type PluginDefinition } from './plugin.ts';
export {
  FIRST_GUEST_PORT,
  type PolledCoreConfig,
  type VhostCoreConfig,
  WIRE_PORT,
} from './polled/polled-config.ts';
export { type Forwarder, type ForwarderFactory, polledCore } from './polled/polled-core.ts';
export { polledPairs } from './polled/polled-pairs.ts';
export { addGuestEnds, addPolledCore, planPolledCores, vhostCoreConfig } from './polled/polled-plan.ts';
export { scenarioSchema } from './scenario-schema.ts';
export { TlbCharges } from './tlb-charges.ts';
export { type RingTotals, VhostControl, type VhostEvents } from './vhost-control.ts';
export {
  ACCESS_BOTH,
  askVhost,
  EBUSY,
  EINVAL,
  EOPNOTSUPP,
  EPERM,
  METHOD_VHOST,
  readVhostReply,
  sendVhostRequest,
  serveVhost,
  type VhostReply,
  type VhostReplyInit,
  type VhostRequestCase,
  type VhostRequestInit,
} from './vhost-messages.ts';
export { VECTOR_RX, VECTOR_TX, VhostPair, type VhostPairOptions } from './vhost-pair.ts';
