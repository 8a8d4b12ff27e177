import type { FeatureSet } from './feature-set.ts';
import type { ConfigSpace } from './net-config.ts';
import type { PciQueue } from './pci-queue.ts';
import type { StatusAnswer } from './status.ts';

/** Faulty register accesses by kind. All of them have no effect; reads answer 0. */
export interface RegisterFaults {
  /** Nothing is there, or it cannot be written. */
  unknownOffset: number;
  /** The field exists, the width does not fit it. */
  wrongWidth: number;
  /** Status transitions that were refused. */
  status: number;
  /** Acknowledging features after FEATURES_OK. */
  lateFeatures: number;
  /** queue_select beyond the queues, or queue fields written while that queue is enabled. */
  queueState: number;
  /** A queue size that is 0, too large or, on split rings, no power of two. */
  queueSize: number;
  /** Notification of a queue that is not there or not enabled. */
  notify: number;
}

/** What the owner of the device is told. Called in the middle of a register access, after the state changed. */
export interface VirtioPciCallbacks {
  /** A status write other than a reset, with the status after it. */
  onStatus?(status: number, answer: StatusAnswer): void;
  /** The driver reset the device; all queue state is gone. */
  onReset?(): void;
  /** The queue has its size, addresses and vector. */
  onQueueEnable?(queue: PciQueue): void;
  /**
   * The driver resets one queue (RING_RESET). `queue.resetting` stays set until `finishQueueReset`; without
   * this callback the reset finishes at once.
   */
  onQueueReset?(queue: PciQueue): void;
  /** An available buffer notification; `data` is what was written (virtio 1.3, 4.1.5.2). */
  onNotify?(queue: number, data: number): void;
  /** The message of an MSI-X vector is to be sent. */
  onInterrupt?(vector: number): void;
  /** INTx level, used while MSI-X is off. */
  onIntx?(asserted: boolean): void;
}

export interface VirtioPciOptions extends VirtioPciCallbacks {
  offers: FeatureSet;
  /** Number of virtqueues, control queue included. */
  queues: number;
  /** Largest size that each queue may be given; a power of two unless only packed rings are offered. */
  maxQueueSize: number;
  /** MSI-X vectors, 0 to 256; default one per queue and one for configuration changes. */
  vectors?: number;
  /** Device configuration and its size in bytes. */
  config: ConfigSpace;
  configBytes: number;
  /** Default 4. 0: all queues share one notification address. */
  notifyMultiplier?: number;
}
