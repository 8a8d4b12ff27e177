import { FeatureSet } from '@vhostlab/virtio-net';
import type { VcpuConfig } from './core-config.ts';

/** What QEMU answers itself: the back end needs to know nothing of it. */
const VMM_OWN = FeatureSet.of('MAC', 'STATUS', 'CTRL_VQ', 'CTRL_RX', 'CTRL_GUEST_OFFLOADS', 'CTRL_MAC_ADDR');

/** What QEMU passes on from a back end to the guest. */
const VMM_PASSES = FeatureSet.of(
  'CSUM',
  'GUEST_CSUM',
  'GUEST_TSO4',
  'GUEST_TSO6',
  'GUEST_ECN',
  'HOST_TSO4',
  'HOST_TSO6',
  'HOST_ECN',
  'MRG_RXBUF',
  'INDIRECT_DESC',
  'EVENT_IDX',
  'VERSION_1',
  'ACCESS_PLATFORM',
  'RING_PACKED',
  'IN_ORDER',
  'ORDER_PLATFORM',
);

/** What the VMM offers to the guest when the back end offers `backend`. */
export function vmmOffers(backend: FeatureSet, pairs: number): FeatureSet {
  const own = pairs > 1 ? VMM_OWN.with('MQ') : VMM_OWN;
  return backend.and(VMM_PASSES).or(own);
}

/** What of the negotiated features the back end is told. */
export function backendShare(negotiated: FeatureSet): FeatureSet {
  return negotiated.and(VMM_PASSES);
}

/**
 * What the guest's driver would like. Poll mode works like a DPDK guest: no event index, in-order rings; interrupt
 * mode like a Linux driver: event index, checksum and segmentation offload. TSO towards the guest needs mergeable
 * buffers here, since buffers hold one frame.
 */
export function driverWants(scenario: VcpuConfig['scenario']): FeatureSet {
  const { ring, guest, offloads, queues } = scenario;
  let wants = FeatureSet.of('VERSION_1', 'ACCESS_PLATFORM', 'MAC', 'STATUS', 'INDIRECT_DESC', 'MRG_RXBUF');
  if (ring === 'packed') wants = wants.with('RING_PACKED');
  if (queues > 1) wants = wants.with('CTRL_VQ', 'MQ');
  if (guest === 'interrupt') wants = wants.with('EVENT_IDX');
  else wants = wants.with('IN_ORDER');
  if (offloads.csum) wants = wants.with('CSUM', 'GUEST_CSUM');
  if (offloads.csum && offloads.tso) wants = wants.with('HOST_TSO4', 'HOST_TSO6', 'HOST_ECN');
  if (offloads.csum && offloads.tso && offloads.mrg)
    wants = wants.with('GUEST_TSO4', 'GUEST_TSO6', 'GUEST_ECN');
  return scenario.without === undefined ? wants : wants.without(...scenario.without);
}
