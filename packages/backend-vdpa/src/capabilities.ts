import type { PluginCapability, PluginDefinition } from '@vhostlab/backend-sdk';

/** Features that a shadow virtqueue does not have: a guest that is to migrate must do without. */
const WITHOUT_SHADOW = [
  'VIRTIO_F_IN_ORDER',
  'VIRTIO_F_RING_PACKED',
  'VIRTIO_F_INDIRECT_DESC',
  'VIRTIO_F_RING_RESET',
  'VIRTIO_F_NOTIFICATION_DATA',
];

/** Capabilities of the peer that need one of these. */
const NEEDS = new Map([
  ['rings.in-order', 'VIRTIO_F_IN_ORDER'],
  ['rings.indirect', 'VIRTIO_F_INDIRECT_DESC'],
  ['rings.packed', 'VIRTIO_F_RING_PACKED'],
]);

/** `Support.REQUIRED` of the contract. */
const REQUIRED = 3;

/** What a vDPA device can do with a peer: everything but migrate when the peer insists on what a shadow lacks. */
export const vdpaCapabilities: PluginDefinition['capabilities'] = (peer) => {
  const inTheWay = peer
    .filter(({ name, support }) => (support as number) === REQUIRED && NEEDS.has(name))
    .map(({ name }) => NEEDS.get(name));
  const migration: PluginCapability =
    inTheWay.length > 0
      ? {
          name: 'migration',
          support: 'unsupported',
          reason: `a shadow virtqueue does not have ${inTheWay.join(', ')}, which the other side requires`,
        }
      : {
          name: 'migration',
          support: 'offered',
          reason: `suspend, resume and a shadow virtqueue while copying; refuses ${WITHOUT_SHADOW.join(', ')}`,
        };
  return [
    {
      name: 'execution.pipeline',
      support: 'unsupported',
      reason: 'the NIC moves the data, no host core does',
    },
    {
      name: 'memory.dirty-log',
      support: 'unsupported',
      reason: 'the device writes by DMA and keeps no dirty log',
    },
    {
      name: 'memory.pinned',
      support: 'required',
      reason: 'a device cannot wait for a page that is not there',
    },
    migration,
    { name: 'offload.csum', support: 'offered' },
    { name: 'offload.switching', support: 'offered' },
    { name: 'offload.tso', support: 'offered' },
    { name: 'rings.in-order', support: 'offered' },
    { name: 'rings.packed', support: 'offered' },
    { name: 'rings.split', support: 'offered' },
  ];
};
