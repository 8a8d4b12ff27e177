import type { ScenarioConfig } from './scenario.ts';

/** What a guest does with frames. `respond`: turns a request into its answer. */
export type GuestRole = 'source' | 'sink' | 'forward' | 'respond';

/** The role of guest `g` in a workload. */
export function roleOf(config: ScenarioConfig, g: number): GuestRole {
  switch (config.workload) {
    case 'tx':
    case 'stream':
      return 'source';
    case 'rx':
      return 'sink';
    case 'pvp':
      return 'forward';
    case 'rr':
      return 'respond';
    case 'v2v':
      return g === 0 ? 'source' : 'sink';
  }
}

/** True when the guest transmits frames, so that faults can be put into them. */
export function sendsFrames(config: ScenarioConfig, g: number): boolean {
  return roleOf(config, g) !== 'sink';
}
