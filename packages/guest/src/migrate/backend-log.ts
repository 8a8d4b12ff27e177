import type { ControlEnd, CoreContext, Procedure } from '@vhostlab/engine';
import { dirtyLogBytes } from '@vhostlab/memory';
import type { FeatureSet, PciQueue } from '@vhostlab/virtio-net';
import type { MigrationSkip } from '@vhostlab/workload';
import type { VmmInstance } from '../core-config.ts';
import { backendShare } from '../features.ts';
import { type VhostRequestInit, vhostRequest } from '../vhost-requests.ts';

/**
 * The vhost log of a back end, one per queue pair: VHOST_SET_LOG_BASE, VHOST_F_LOG_ALL for buffers, and for used entries
 * their own flag and address, in QEMU's order.
 */
export class BackendLog {
  readonly #ends: readonly ControlEnd[];
  readonly #memoryBytes: number;

  constructor(context: CoreContext, instance: VmmInstance, memoryBytes: number) {
    this.#ends = instance.ends.map((end) => context.control(end));
    this.#memoryBytes = memoryBytes;
  }

  /** Turns logging on for rings that run; a sentence when the back end cannot. */
  *begin(
    features: FeatureSet,
    queues: readonly PciQueue[],
    skips: readonly MigrationSkip[],
  ): Procedure<string | undefined> {
    const share = backendShare(features);
    const wanted = skips.includes('buffer-log') ? share : share.with('LOG_ALL');
    for (let q = 0; q < this.#ends.length; q++) {
      const sizeBytes = BigInt(dirtyLogBytes(this.#memoryBytes));
      const requests: VhostRequestInit[] = [
        { case: 'setLog', value: { enable: true, window: '', sizeBytes } },
        { case: 'setFeatures', value: { features: { bits: wanted.toBigInt(), bitsHigh: 0n } } },
      ];
      for (const index of [2 * q, 2 * q + 1]) {
        const { descriptorArea, deviceArea } = queues[index];
        // a packed ring's used entries lie among its descriptors
        const guestAddr = BigInt(features.has('RING_PACKED') ? descriptorArea : deviceArea);
        const enable = !skips.includes('used-ring-log');
        requests.push({ case: 'setVringLog', value: { index, enable, guestAddr } });
      }
      for (const request of requests) {
        const { error, reason } = yield* vhostRequest(this.#ends[q], request);
        if (error !== 0) return `the back end keeps no dirty log of pair ${q}: ${reason}`;
      }
    }
    return undefined;
  }

  /** Pages written since the last call, as the bytes of a dirty log. */
  *take(): Procedure<Uint8Array> {
    const all = new Uint8Array(dirtyLogBytes(this.#memoryBytes));
    for (const end of this.#ends) {
      const { answer } = yield* vhostRequest(end, { case: 'takeLog', value: {} });
      if (answer.case !== 'log') continue;
      for (let i = 0; i < all.length; i++) all[i] |= answer.value[i] ?? 0;
    }
    return all;
  }

  /** Turns logging off. */
  *end(features: FeatureSet): Procedure {
    const bits = backendShare(features).toBigInt();
    for (const end of this.#ends) {
      yield* vhostRequest(end, { case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } });
      yield* vhostRequest(end, { case: 'setLog', value: { enable: false } });
    }
  }
}
