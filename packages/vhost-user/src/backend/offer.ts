import { missingRequirements, protocolFeatureNames, protocolMask } from '../registry/protocol-features.ts';
import type { DeviceOffer } from './backend-device.ts';

/** Protocol features that a BackendSession implements; a device may offer any part of them. */
export const BACKEND_PROTOCOL_FEATURES: bigint = protocolMask(
  'MQ',
  'LOG_SHMFD',
  'RARP',
  'REPLY_ACK',
  'MTU',
  'BACKEND_REQ',
  'BACKEND_SEND_FD',
  'CONFIG',
  'INFLIGHT_SHMFD',
  'RESET_DEVICE',
  'INBAND_NOTIFICATIONS',
  'CONFIGURE_MEM_SLOTS',
  'STATUS',
  'DEVICE_STATE',
);

/** Why no session can be made for a device with this offer; null: it is fine. */
export function offerProblem(offer: DeviceOffer): string | null {
  const { protocolFeatures, queuePairs, maxQueueSize, memSlots } = offer;
  const unknown = protocolFeatures & ~BACKEND_PROTOCOL_FEATURES;
  if (unknown !== 0n)
    return `the device offers ${protocolFeatureNames(unknown).join(', ')}, which no session implements`;
  const missing = missingRequirements(protocolFeatures)[0];
  if (missing !== undefined) return `the device offers ${missing[0]} without ${missing[1]}`;
  if (!isWithin(queuePairs, 128)) return `the device offers ${queuePairs} queue pairs: 1 to 128`;
  if (!isWithin(maxQueueSize, 32_768))
    return `the device offers rings of ${maxQueueSize} descriptors: 1 to 32768`;
  if (!isWithin(memSlots, 509)) return `the device offers ${memSlots} memory slots: 1 to 509`;
  return null;
}

function isWithin(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}
