import { FeatureSet } from '@vhostlab/virtio-net';
import type { Offloads } from '@vhostlab/workload';

/** What the functions of this NIC offer to a driver. `control`: the function has a control queue of its own. */
export function offeredFeatures(offloads: Offloads, pairs: number, control: boolean): FeatureSet {
  let features = FeatureSet.of(
    'VERSION_1',
    'ACCESS_PLATFORM',
    'MAC',
    'STATUS',
    'MTU',
    'EVENT_IDX',
    'INDIRECT_DESC',
    'RING_PACKED',
    'IN_ORDER',
    'RING_RESET',
  );
  if (control) features = features.with('CTRL_VQ', 'CTRL_MAC_ADDR');
  if (pairs > 1) features = features.with('MQ', ...(control ? (['RSS'] as const) : []));
  if (offloads.mrg) features = features.with('MRG_RXBUF');
  if (offloads.csum || offloads.tso) features = features.with('CSUM', 'GUEST_CSUM');
  if (offloads.tso) features = features.with('HOST_TSO4', 'HOST_TSO6', 'GUEST_TSO4', 'GUEST_TSO6');
  return features;
}
