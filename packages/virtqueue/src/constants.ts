/** virtq_desc flags, virtio 1.3, 2.7.5 and 2.8.13. */
export const VIRTQ_DESC_F_NEXT = 1;
export const VIRTQ_DESC_F_WRITE = 2;
export const VIRTQ_DESC_F_INDIRECT = 4;
/** Packed rings only, virtio 1.3, 2.8.1. */
export const VIRTQ_DESC_F_AVAIL = 0x80;
export const VIRTQ_DESC_F_USED = 0x8000;

/** `flags` of the available ring, virtio 1.3, 2.7.6. */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
/** `flags` of the used ring, virtio 1.3, 2.7.8. */
export const VIRTQ_USED_F_NO_NOTIFY = 1;

/** `flags` of a packed event suppression structure, virtio 1.3, 2.8.14. */
export const RING_EVENT_FLAGS_ENABLE = 0;
export const RING_EVENT_FLAGS_DISABLE = 1;
export const RING_EVENT_FLAGS_DESC = 2;

/** Bytes of one descriptor, split and packed alike. */
export const DESC_BYTES = 16;
/** The most bytes that one chain may describe, virtio 1.3, 2.7.5.2. */
export const MAX_CHAIN_BYTES = 2 ** 32;
/** Largest queue of both formats, virtio 1.3, 2.7 and 2.8. */
export const MAX_QUEUE_SIZE = 32768;
