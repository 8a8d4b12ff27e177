import type { CompiledProfile } from '@vhostlab/engine';
import type { WorkerConfig } from '../worker/worker-config.ts';
import type { PluginSpec } from './plugin-spec.ts';

/** What the thread of a plugin is started with: plain data. */
export interface PluginConfig
  extends Pick<
    WorkerConfig,
    'cpus' | 'arena' | 'ownOffset' | 'ownBytes' | 'statistics' | 'devices' | 'queuePairs'
  > {
  readonly spec: PluginSpec;
  /** Constants that the components ask for. */
  readonly profile: CompiledProfile;
}
