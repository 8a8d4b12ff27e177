import { FeatureSet } from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import { shadowProblem } from '../src/migrate/shadow-features.ts';

describe('features that a shadow virtqueue does not have', () => {
  it('are named one and all, with the mend', () => {
    expect(
      shadowProblem(FeatureSet.of('VERSION_1', 'ACCESS_PLATFORM', 'EVENT_IDX', 'MRG_RXBUF')),
    ).toBeUndefined();
    expect(shadowProblem(FeatureSet.of('IN_ORDER', 'INDIRECT_DESC'))).toBe(
      "the guest's driver acknowledges VIRTIO_F_INDIRECT_DESC, VIRTIO_F_IN_ORDER, which a shadow virtqueue does not have; use system.guests.without: [INDIRECT_DESC, IN_ORDER].",
    );
    expect(shadowProblem(FeatureSet.of('RING_PACKED'))).toContain(
      'VIRTIO_F_RING_PACKED, which a shadow virtqueue does not have; use system.guests.ring: split.',
    );
    for (const name of ['RING_RESET', 'NOTIFICATION_DATA'] as const) {
      expect(shadowProblem(FeatureSet.of(name))).toBe(
        `the guest's driver acknowledges VIRTIO_F_${name}, which a shadow virtqueue does not have; use a device that does not offer it.`,
      );
    }
  });
});
