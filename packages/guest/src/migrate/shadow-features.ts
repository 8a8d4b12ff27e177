import type { FeatureName, FeatureSet } from '@vhostlab/virtio-net';
import { WITHOUT_FEATURES } from '@vhostlab/workload';

/** Ring features that a shadow virtqueue does not have (QEMU, vhost_svq_valid_features). */
const NOT_SHADOWED: readonly FeatureName[] = [
  'RING_PACKED',
  'INDIRECT_DESC',
  'IN_ORDER',
  'RING_RESET',
  'NOTIFICATION_DATA',
];

/** One sentence on which acknowledged features keep a vDPA device from being migrated, and the mend; undefined: none. */
export function shadowProblem(acknowledged: FeatureSet): string | undefined {
  const inTheWay = NOT_SHADOWED.filter((name) => acknowledged.has(name));
  if (inTheWay.length === 0) return undefined;
  const without = inTheWay.filter((name) => (WITHOUT_FEATURES as readonly string[]).includes(name));
  const mends = [
    ...(inTheWay.includes('RING_PACKED') ? ['system.guests.ring: split'] : []),
    ...(without.length > 0 ? [`system.guests.without: [${without.join(', ')}]`] : []),
  ];
  const names = inTheWay.map((name) => `VIRTIO_F_${name}`).join(', ');
  const mend = mends.length === 0 ? 'use a device that does not offer it' : `use ${mends.join(' and ')}`;
  return `the guest's driver acknowledges ${names}, which a shadow virtqueue does not have; ${mend}.`;
}
