import { type FeatureName, FeatureSet, negotiate } from '@vhostlab/virtio-net';
import type { Settings } from './options.ts';

/** The virtio features that a driver with these settings asks for. */
export function wantedFeatures(settings: Settings): FeatureSet {
  const { inOrder, mrgRxbuf, indirect, eventIdx, csum, tso } = settings.features;
  const wishes: readonly (readonly [boolean, readonly FeatureName[]])[] = [
    [true, ['VERSION_1']],
    [settings.ring === 'packed', ['RING_PACKED']],
    [inOrder, ['IN_ORDER']],
    [mrgRxbuf, ['MRG_RXBUF']],
    [indirect, ['INDIRECT_DESC']],
    [eventIdx, ['EVENT_IDX']],
    [csum, ['CSUM', 'GUEST_CSUM']],
    [tso, ['HOST_TSO4', 'HOST_TSO6', 'GUEST_TSO4', 'GUEST_TSO6']],
  ];
  const names = wishes.flatMap(([wanted, features]) => (wanted ? features : []));
  return FeatureSet.of(...names).and(FeatureSet.fromBigInt(settings.featureMask));
}

/** What the driver acknowledges of an offer, or one sentence that says why it cannot work with it. */
export function chooseFeatures(offer: FeatureSet, settings: Settings): FeatureSet | string {
  const { accepted } = negotiate(offer, wantedFeatures(settings));
  if (settings.ring === 'packed' && !accepted.has('RING_PACKED')) {
    return 'the back end does not offer VIRTIO_F_RING_PACKED: use split rings with it';
  }
  if (settings.txLayout === 'indirect' && !accepted.has('INDIRECT_DESC')) {
    return 'the back end does not offer VIRTIO_F_INDIRECT_DESC: use another layout with it';
  }
  const { workload } = settings;
  const traffic = 'traffic' in workload ? workload.traffic : undefined;
  const segmentation = traffic?.ipVersion === 6 ? 'HOST_TSO6' : 'HOST_TSO4';
  if (traffic?.gso === true && !accepted.has(segmentation)) {
    return `the back end does not offer VIRTIO_NET_F_${segmentation}, which segments of 64 KB need`;
  }
  if (traffic?.checksumOffload === true && !accepted.has('CSUM')) {
    return 'the back end does not offer VIRTIO_NET_F_CSUM, which frames without checksums need';
  }
  return accepted;
}
