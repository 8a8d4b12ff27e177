export { hex, testFrame } from './frames.ts';
export { type NicCoreConfig, type NicCoreResult, nicCoreModule } from './nic-core.ts';
export { type SwitchCoreConfig, switchCoreModule } from './switch-core.ts';
