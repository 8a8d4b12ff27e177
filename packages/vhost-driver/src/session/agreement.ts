import { type FeatureSet, headerBytes } from '@vhostlab/virtio-net';
import type { Agreement } from '../worker/plan.ts';

/** What the data path needs to know of the features that were agreed on. */
export function agreementOf(features: FeatureSet): Agreement {
  return {
    ring: {
      eventIdx: features.has('EVENT_IDX'),
      indirect: features.has('INDIRECT_DESC'),
      inOrder: features.has('IN_ORDER'),
    },
    headerBytes: headerBytes(features) === 10 ? 10 : 12,
    mergeable: features.has('MRG_RXBUF'),
    csum: features.has('CSUM'),
    guestCsum: features.has('GUEST_CSUM'),
    tso: features.has('HOST_TSO4') || features.has('HOST_TSO6'),
  };
}
