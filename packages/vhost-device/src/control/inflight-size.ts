const ALIGN = 64;

/**
 * Bytes of one queue in the inflight region: header and one entry per descriptor, rounded up to 64 as libvhost-user and
 * DPDK do (the specification does not say).
 */
export function inflightQueueBytes(queueSize: number, isPacked: boolean): number {
  const bytes = isPacked ? 32 + 32 * queueSize : 16 + 16 * queueSize;
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
