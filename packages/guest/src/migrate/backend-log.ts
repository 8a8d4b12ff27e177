import type { ControlEnd, CoreContext, Procedure } from '@vhostlab/engine';
import { dirtyLogBytes } from '@vhostlab/memory';
import type { MigrationSkip } from '@vhostlab/workload';
import type { VmmConfig } from '../core-config.ts';
import { backendShare } from '../features.ts';
import type { SwappedDevice } from '../instances/swap.ts';
import { type VhostRequestInit, vhostRequest } from '../vhost-requests.ts';
import type { VhostSetup } from '../vhost-setup.ts';
import type { Begun, MigrationSource } from './migration-source.ts';

/** A back end that is not quiet by then is taken the rings from all the same. */
const DRAIN_LIMIT_PS = 20_000_000_000;

/**
 * The vhost log of a back end, one per queue pair: VHOST_SET_LOG_BASE, VHOST_F_LOG_ALL for buffers, and for used entries
 * their own flag and address, in QEMU's order.
 */
export class BackendLog implements MigrationSource {
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #setup: VhostSetup;
  readonly #device: SwappedDevice;
  readonly #ends: readonly ControlEnd[];
  readonly #skips: readonly MigrationSkip[];

  constructor(
    context: CoreContext,
    config: VmmConfig,
    setup: VhostSetup,
    device: SwappedDevice,
    skips: readonly MigrationSkip[],
  ) {
    this.#context = context;
    this.#config = config;
    this.#setup = setup;
    this.#device = device;
    this.#skips = skips;
    this.#ends = config.instances[0].ends.map((end) => context.control(end));
  }

  get #logBytes(): number {
    return dirtyLogBytes(this.#config.layout.bytes);
  }

  *begin(): Procedure<Begun> {
    const { features, queues } = this.#device;
    const share = backendShare(features);
    const wanted = this.#skips.includes('buffer-log') ? share : share.with('LOG_ALL');
    for (let q = 0; q < this.#ends.length; q++) {
      const requests: VhostRequestInit[] = [
        { case: 'setLog', value: { enable: true, window: '', sizeBytes: BigInt(this.#logBytes) } },
        { case: 'setFeatures', value: { features: { bits: wanted.toBigInt(), bitsHigh: 0n } } },
      ];
      for (const index of [2 * q, 2 * q + 1]) {
        const { descriptorArea, deviceArea } = queues[index];
        // a packed ring's used entries lie among its descriptors
        const guestAddr = BigInt(features.has('RING_PACKED') ? descriptorArea : deviceArea);
        const enable = !this.#skips.includes('used-ring-log');
        requests.push({ case: 'setVringLog', value: { index, enable, guestAddr } });
      }
      for (const request of requests) {
        const { error, reason } = yield* vhostRequest(this.#ends[q], request);
        if (error !== 0) return { refused: `the back end keeps no dirty log of pair ${q}: ${reason}` };
      }
    }
    return {};
  }

  *take(): Procedure<Uint8Array> {
    const all = new Uint8Array(this.#logBytes);
    for (const end of this.#ends) {
      const { answer } = yield* vhostRequest(end, { case: 'takeLog', value: {} });
      if (answer.case !== 'log') continue;
      for (let i = 0; i < all.length; i++) all[i] |= answer.value[i] ?? 0;
    }
    return all;
  }

  *settle(): Procedure {
    yield* this.#setup.quiesce(this.#context.now() + DRAIN_LIMIT_PS);
  }

  *stop(): Procedure<number[] | undefined> {
    const bases = yield* this.#setup.detach(2 * this.#config.queues);
    yield* this.settle();
    return bases;
  }

  *end(): Procedure {
    const bits = backendShare(this.#device.features).toBigInt();
    for (const end of this.#ends) {
      yield* vhostRequest(end, { case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } });
      yield* vhostRequest(end, { case: 'setLog', value: { enable: false } });
    }
  }
}
