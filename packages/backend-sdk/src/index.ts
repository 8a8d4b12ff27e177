export type { PortOutput } from '@vhostlab/datapath';
export {
  BARRIER,
  type ComponentPlan,
  type CoreContext,
  type CoreModule,
  type Counter,
  DONE,
  HOLD,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
export { PacketPool } from '@vhostlab/memory';
export type { BackendName, GuestRegion, Offloads, ScenarioConfig } from '@vhostlab/workload';
export { changesBackend, guestMemoryRegions, migrationOf, PAGE_SIZES } from '@vhostlab/workload';
export { z } from 'zod';
export { type BackendHost, backendHost } from './backend-definition.ts';
export { answerProblem } from './burst/answer-problem.ts';
export { type BurstSource, burstBackend, embeddedBurst, remoteBurst } from './burst/burst-backend.ts';
export { RunningBurst } from './burst/burst-instance.ts';
export {
  type Burst,
  type BurstAnswer,
  type BurstInstance,
  type BurstPlugin,
  type BurstPluginInit,
  type BurstTools,
  defineBurstPlugin,
} from './burst/burst-plugin.ts';
export { implementBurstPlugin } from './burst/burst-service.ts';
export { serveBurstPlugin } from './burst/serve-burst.ts';
export { offeredFeatures } from './features.ts';
export { frameBufferBytes, hasGsoFrames, wireBufferBytes } from './frame-buffers.ts';
export {
  CONTRACT_VERSIONS,
  COOKIE_NAME,
  COOKIE_VALUE,
  CORE_PROTOCOL_VERSION,
  cookieProblem,
  handshakeLine,
  LISTEN_NAME,
  readHandshakeLine,
  STDIN_NAME,
} from './handshake-line.ts';
export { optionFaults } from './options.ts';
export {
  definePlugin,
  PLUGIN_NAME,
  type PluginCapability,
  type PluginDefinition,
  type PluginInit,
} from './plugin.ts';
export {
  FIRST_GUEST_PORT,
  type PolledCoreConfig,
  type VhostCoreConfig,
  WIRE_PORT,
} from './polled/polled-config.ts';
export { type Forwarder, type ForwarderFactory, polledCore } from './polled/polled-core.ts';
export { polledPairs } from './polled/polled-pairs.ts';
export { addGuestEnds, addPolledCore, planPolledCores, vhostCoreConfig } from './polled/polled-plan.ts';
export { QuietWatch } from './quiet.ts';
export { polledSchema, scenarioSchema } from './scenario-schema.ts';
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
