import { protocolMask } from '@vhostlab/vhost-user';
import { type FeatureName, FeatureSet } from '@vhostlab/virtio-net';
import type { PortSpec } from '../ports/port-spec.ts';

/** Features of the rings, whatever the port. */
const RING_FEATURES = [
  'VERSION_1',
  'EVENT_IDX',
  'INDIRECT_DESC',
  'IN_ORDER',
  'RING_PACKED',
  'ACCESS_PLATFORM',
  'MRG_RXBUF',
  'MTU',
  'MQ',
] as const satisfies readonly FeatureName[];

/** Work on frames that somebody behind the port completes: the kernel, or the guest that gets them back. */
const OFFLOAD_FEATURES = [
  'CSUM',
  'GUEST_CSUM',
  'HOST_TSO4',
  'HOST_TSO6',
  'HOST_ECN',
  'GUEST_TSO4',
  'GUEST_TSO6',
  'GUEST_ECN',
] as const satisfies readonly FeatureName[];

/** All features that a device may offer. */
export const DEVICE_FEATURES = [...RING_FEATURES, ...OFFLOAD_FEATURES] as const;
export type DeviceFeatures = typeof DEVICE_FEATURES;

/** Protocol features that the device and its session carry out together. */
export const DEVICE_PROTOCOL_FEATURES = [
  'MQ',
  'LOG_SHMFD',
  'RARP',
  'REPLY_ACK',
  'MTU',
  'BACKEND_REQ',
  'CONFIG',
  'INFLIGHT_SHMFD',
  'RESET_DEVICE',
  'CONFIGURE_MEM_SLOTS',
  'STATUS',
  'DEVICE_STATE',
] as const;

/** Longest frame with segmentation offload, and without. */
const GSO_FRAME_BYTES = 65_553;
const JUMBO_FRAME_BYTES = 9_728;

/** Feature bits that a device with this port offers. */
export function offeredFeatures(port: PortSpec, queuePairs: number, without: readonly string[]): bigint {
  const offloads = carriesOffloads(port) ? OFFLOAD_FEATURES : [];
  const names = [...RING_FEATURES, ...offloads].filter(
    (name) => !without.includes(name) && (name !== 'MQ' || queuePairs > 1),
  );
  return FeatureSet.of(...names).toBigInt();
}

/** What a plugin of the switch offers, and the device around it, less what was asked to be left out. */
export function withoutFeatures(features: bigint, queuePairs: number, without: readonly string[]): bigint {
  const device = queuePairs > 1 ? FeatureSet.of('MTU', 'MQ') : FeatureSet.of('MTU');
  const left = FeatureSet.fromNames(without);
  return (features | device.toBigInt()) & ~left.toBigInt();
}

/** Protocol feature bits. */
export function offeredProtocolFeatures(port: PortSpec): bigint {
  const absent = absentFrom(port);
  return protocolMask(...DEVICE_PROTOCOL_FEATURES.filter((name) => !absent.includes(name)));
}

/**
 * Nobody announces a guest to the bridge, its first frame does; its plugins keep buffers over many steps and tell nobody
 * which; hardware that writes by DMA keeps no dirty log.
 */
function absentFrom(port: PortSpec): readonly string[] {
  if (port.kind !== 'switch') return [];
  return port.plugin === 'sw-vdpa' ? ['RARP', 'INFLIGHT_SHMFD', 'LOG_SHMFD'] : ['RARP', 'INFLIGHT_SHMFD'];
}

/** Longest frame that a device with this port carries. */
export function longestFrameBytes(port: PortSpec): number {
  return carriesOffloads(port) ? GSO_FRAME_BYTES : JUMBO_FRAME_BYTES;
}

/** A capture or a generator would show frames that nobody completed. */
function carriesOffloads(port: PortSpec): boolean {
  return port.kind === 'tap' || port.kind === 'echo' || port.kind === 'macswap';
}
