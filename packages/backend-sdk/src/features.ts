import { FeatureSet } from '@vhostlab/virtio-net';
import type { Offloads } from '@vhostlab/workload';

/** Feature bits that a back end offers: its rings and what it can do to frames. */
export function offeredFeatures(
  offloads: Offloads,
  rings: { packed: boolean; inOrder: boolean; indirect: boolean },
): FeatureSet {
  let features = FeatureSet.of('VERSION_1', 'EVENT_IDX', 'RING_RESET');
  if (rings.packed) features = features.with('RING_PACKED');
  if (rings.inOrder) features = features.with('IN_ORDER');
  if (rings.indirect) features = features.with('INDIRECT_DESC');
  if (offloads.mrg) features = features.with('MRG_RXBUF');
  if (offloads.csum) features = features.with('CSUM', 'GUEST_CSUM');
  if (offloads.tso) features = features.with('HOST_TSO4', 'HOST_TSO6', 'GUEST_TSO4', 'GUEST_TSO6');
  return features;
}
