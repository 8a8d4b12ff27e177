import type { ChainBatch } from './chain-batch.ts';

/** What a device queue has done since it was made. */
export interface DeviceCounters {
  /** Chains taken (given-back ones taken off again). */
  chains: number;
  /** Chains taken with a status other than CHAIN_OK. */
  chainFaults: number;
  /** Buffers published as used. */
  used: number;
  /** Used entries written: fewer than `used` with VIRTIO_F_IN_ORDER. */
  usedEntries: number;
  /** Times that `publishUsed` published a word. */
  usedPublications: number;
  violations: number;
}

/**
 * The device side of a virtqueue, split or packed.
 *
 * Everything the driver wrote is read once and checked: a chain that cannot be carried out comes back with a
 * status; a ring that makes no sense breaks the queue (`violation`), which then gives and takes nothing. `publishUsed`
 * and `shouldCall` are two steps with a full barrier between them, and so are `enableNotifications` and the
 * `hasAvailable` that re-checks (virtio 1.3, 2.7.8, 2.7.14): call the second one in a later run than the first.
 */
export interface DeviceQueue {
  readonly size: number;
  readonly index: number;
  /** 0, or the VIOLATION_… that broke the queue. */
  readonly violation: number;
  /** Chains popped and not yet published as used. */
  readonly inFlight: number;
  readonly counters: DeviceCounters;

  /** True when `pop` would find something; one word is read. */
  hasAvailable(): boolean;
  /** Chains that are visible, at most `size`. Packed: reads up to `size` descriptors, use `hasAvailable` to poll. */
  available(): number;
  /** Takes at most `max` chains into `batch`, whose old contents go; returns how many. @hot */
  pop(batch: ChainBatch, max: number): number;
  /**
   * Gives back the `n` chains popped last, none of which is used: the next `pop` finds them again. Throws when
   * they are not all in flight.
   */
  unpop(n: number): void;

  /**
   * Completes the buffer in `slot`; `length` bytes of its writable part were written. Nothing is visible before
   * `publishUsed`. With VIRTIO_F_IN_ORDER a buffer completed early waits there for the ones before it. Throws for
   * a slot that is not in flight. @hot
   */
  pushUsed(slot: number, length: number): void;
  /**
   * The same for the first `count` of `slots`, each with `length` bytes written (0 for what was only read). At less
   * than half the cost per buffer. @hot
   */
  pushUsedBurst(slots: Uint16Array, count: number, length: number): void;
  /**
   * Publishes everything completed: at most one word. The caller has covered the bytes it wrote. With
   * VIRTIO_F_IN_ORDER one used entry stands for a run of buffers, which ends at each buffer that was not filled
   * completely, because the driver takes the buffers skipped for complete (virtio 1.3, 2.7.9 and 2.8.9). @hot
   */
  publishUsed(): void;
  /** True when the driver wants an interrupt for what was published since the last call. In a later run than that. */
  shouldCall(): boolean;

  /** Asks for a kick at the next available buffer. Re-check `hasAvailable` in a later run. */
  enableNotifications(): void;
  disableNotifications(): void;

  /** Starts over, with zeroed memory on the driver's side (virtio 1.3, 2.6.1). Buffers in flight are forgotten. */
  reset(): void;
  /**
   * Ring position in the form of VHOST_USER_GET_VRING_BASE. Split: the next available index. Packed: bits 0-14 next
   * available slot, 15 its wrap counter, 16-30 next used slot, 31 its wrap counter. Complete or give back what is
   * in flight first.
   */
  saveBase(): number;
  /**
   * Goes to a saved position; `base` comes from a peer. Split: the low 16 bits, used index the same. Packed: with a
   * zero high half and the wrap bit set (0x8000 style) the used position equals the available one. Returns false,
   * changing nothing, for a position outside the ring. The next `shouldCall` with work says yes.
   */
  restoreBase(base: number): boolean;
}
