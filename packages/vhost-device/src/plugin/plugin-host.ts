import type { PluginDefinition } from '@vhostlab/backend-sdk';
import { compileCostProfile, parseCostProfile } from '@vhostlab/cost-profile';
import { readFileBytes } from '@vhostlab/host';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { WorkerConfig } from '../worker/worker-config.ts';
import { flowProblem } from './guest-ports.ts';
import type { PluginConfig } from './plugin-config.ts';
import { planPlugin } from './plugin-plan.ts';
import type { PluginSpec } from './plugin-spec.ts';

const PAGE_BYTES = 2 ** 21;
const PROFILE = 'reference.yaml';
/** Bits that the session adds by itself. */
const OF_THE_SESSION = FeatureSet.of('LOG_ALL', 'PROTOCOL_FEATURES').toBigInt();

/** The worker module of plugins, for WorkerPool. One thread has all queue pairs of all devices. */
export const PLUGIN_MODULE = new URL('./main.ts', import.meta.url);

/** What the program needs to host a plugin. */
export interface PluginHost {
  /** Virtio features that a device offers, without those that the session adds. */
  readonly features: bigint;
  /** Memory that the thread takes of the arena: whole huge pages. */
  readonly ownBytes: number;
  /** What its thread is started with. */
  config(place: Pick<WorkerConfig, 'cpus' | 'arena' | 'ownOffset' | 'statistics'>): PluginConfig;
}

/**
 * Prepares a plugin for `devices` devices of `queuePairs` queue pairs. Throws an Error, one sentence, for flows that
 * cannot be parsed.
 */
export function pluginHost(
  spec: PluginSpec,
  devices: number,
  queuePairs: number,
  external?: PluginDefinition,
): PluginHost {
  const problem = flowProblem(spec.flows, devices);
  if (problem !== null) throw new Error(problem);
  const { offered, arenaBytes } = planPlugin(spec, devices, queuePairs, external);
  const ownBytes = Math.ceil(arenaBytes / PAGE_BYTES) * PAGE_BYTES;
  const file = new URL(`../profiles/${PROFILE}`, import.meta.resolve('@vhostlab/cost-profile'));
  const text = new TextDecoder().decode(readFileBytes(file.pathname));
  const profile = compileCostProfile(parseCostProfile(text, PROFILE));
  return {
    features: offered & ~OF_THE_SESSION,
    ownBytes,
    config: (place) => ({ ...place, ownBytes, devices, queuePairs, spec, profile }),
  };
}
