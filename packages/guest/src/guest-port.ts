import type { CoreContext } from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import { type DriverQueue, PackedDriver, ringLayout, SplitDriver } from '@vhostlab/virtqueue';
import { TABLE_ENTRIES } from '@vhostlab/workload';
import type { VcpuConfig } from './core-config.ts';
import { Doorbell, VECTOR_RX, VECTOR_TX } from './doorbell.ts';
import { PairContext } from './pair-context.ts';
import { RxPath } from './rx-path.ts';
import { TxPath } from './tx-path.ts';

/** What a vCPU needs to know of the negotiation to run its queue pair: plain data. */
export interface PairStart {
  /** Negotiated feature bits. */
  low: number;
  high: number;
  rxSize: number;
  txSize: number;
}

/** A vCPU's queue pair with everything around it. */
export class GuestPort extends PairContext {
  readonly rx: RxPath;
  readonly tx: TxPath;
  readonly #doorbell: Doorbell;

  constructor(context: CoreContext, config: VcpuConfig, start: PairStart) {
    super(context, config, new FeatureSet(start.low, start.high));
    this.#doorbell = new Doorbell(context, this.vq, config.doorbell);
    const { rxRing, txRing } = config.pair;
    this.rx = new RxPath(this, this.#queue(2 * config.queue, rxRing, start.rxSize));
    this.tx = new TxPath(this, this.#queue(2 * config.queue + 1, txRing, start.txSize));
  }

  #queue(index: number, ring: number, size: number): DriverQueue {
    const { features, base } = this;
    const eventIdx = features.has('EVENT_IDX');
    const layout = ringLayout(this.packed ? 'packed' : 'split', size, eventIdx);
    const { tables } = this.config.pair;
    const place = {
      size,
      index,
      descOffset: base + ring + layout.desc.offset,
      driverOffset: base + ring + layout.driver.offset,
      deviceOffset: base + ring + layout.device.offset,
      features: { eventIdx, indirect: features.has('INDIRECT_DESC'), inOrder: features.has('IN_ORDER') },
      tables: { offset: base + tables, address: tables, entries: TABLE_ENTRIES },
    };
    const { arena } = this.context;
    const { publisher } = this.vq;
    return this.packed ? new PackedDriver(arena, publisher, place) : new SplitDriver(arena, publisher, place);
  }

  /** Fills the receive queue for the first time; the caller answers BARRIER and then checks the kicks. */
  open(): void {
    this.rx.refill();
    this.rx.publish();
  }

  /** The second half of what was published in the run before: kicks that the device wants. */
  checkKicks(): void {
    if (this.tx.toCheck) {
      this.tx.toCheck = false;
      this.#doorbell.check(this.tx.queue, VECTOR_TX, this.tx.sampled);
    }
    if (this.rx.toCheck) {
      this.rx.toCheck = false;
      this.#doorbell.check(this.rx.queue, VECTOR_RX, this.rx.noSamples);
    }
  }
}
