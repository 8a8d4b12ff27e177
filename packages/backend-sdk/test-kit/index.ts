export {
  type CoreOutcome,
  runComponents,
  runComponentsReal,
  type TestOutcome,
  testProfile,
} from '@vhostlab/datapath/test-kit';
export { guestComponent } from './guest-component.ts';
export { type GuestCoreConfig, type GuestCoreResult, guestCoreModule } from './guest-core.ts';
export { GPA_BASE, guestLayout, UNMAPPED_GPA, USER_BASE } from './guest-memory.ts';
export type { ReceiveConfig, ReceivedFrame } from './guest-receiver.ts';
export type { SendConfig } from './guest-sender.ts';
export {
  type PluginRigOptions,
  type PluginRigOutcome,
  runPlugin,
  START_PS,
  testFrames,
} from './plugin-rig.ts';
export { testScenario } from './test-scenario.ts';
