import { longestFrameBytes, type ScenarioConfig } from '@vhostlab/workload';

/** What a DPDK mbuf and a page fragment of the kernel have room for, headroom included. */
const ORDINARY_BYTES = 2176;
const HEADROOM_BYTES = 128;
/** A frame that is still to be segmented: 64 KiB and its headers. */
const GSO_BYTES = 66_048;

/** True when the guest may hand over frames that are still to be segmented. */
export function hasGsoFrames(config: ScenarioConfig): boolean {
  return config.offloads.tso && config.traffic.kind === 'tcp-stream' && config.traffic.gso === true;
}

/** Bytes that a host's packet buffer needs for every frame of the scenario, headroom included. */
export function frameBufferBytes(config: ScenarioConfig): number {
  return hasGsoFrames(config) ? GSO_BYTES : wireBufferBytes(config);
}

/** The same for frames that come from the wire, which are segmented. */
export function wireBufferBytes(config: ScenarioConfig): number {
  return Math.max(ORDINARY_BYTES, Math.ceil((longestFrameBytes(config) + HEADROOM_BYTES) / 64) * 64);
}
