export { hex, testFrame } from './frames.ts';
export { type NicCoreConfig, type NicCoreResult, nicCoreModule } from './nic-core.ts';
export {
  type CoreOutcome,
  coreOutcome,
  type RunComponentsOptions,
  runComponents,
  type TestOutcome,
  testProfile,
} from './run.ts';
export { runComponentsReal } from './run-real.ts';
export { type StageCoreConfig, type StageCoreResult, stageCoreModule } from './stage-core.ts';
export { type SwitchCoreConfig, switchCoreModule } from './switch-core.ts';
