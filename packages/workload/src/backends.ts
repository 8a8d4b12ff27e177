/** The four back ends that a run compares. */
export const BACKENDS = ['vhost-net', 'vhost-user', 'vfio', 'vdpa'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** What a back end offers to the guest. */
export interface Offloads {
  /** Checksum offload both ways. */
  csum: boolean;
  /** TCP segmentation offload both ways (needs csum). */
  tso: boolean;
  /** Mergeable receive buffers. */
  mrg: boolean;
}
