import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import { FeatureSet, type HeaderRules, receiveRules, transmitRules } from '@vhostlab/virtio-net';
import { BufferPool } from './buffer-pool.ts';
import type { VcpuConfig } from './core-config.ts';
import { PageWatch } from './migrate/page-watch.ts';
import { TlbMeter } from './tlb-meter.ts';

/** What both directions of a vCPU's queue pair share. */
export class PairContext {
  readonly context: CoreContext;
  readonly config: VcpuConfig;
  readonly vq: MemoryEnd;
  features = FeatureSet.EMPTY;
  packed = false;
  /** Arena offset of guest address 0. */
  base: number;
  readonly pool: BufferPool;
  readonly tlb: TlbMeter;
  receiveRules: HeaderRules = receiveRules(FeatureSet.EMPTY);
  transmitRules: HeaderRules = transmitRules(FeatureSet.EMPTY);

  constructor(context: CoreContext, config: VcpuConfig, vq: MemoryEnd, features: FeatureSet) {
    this.context = context;
    this.config = config;
    this.vq = vq;
    this.base = context.window(config.window);
    this.pool = new BufferPool(config.pair);
    this.tlb = new TlbMeter(context, config.scenario.pages);
    this.negotiated(features);
  }

  /** Bytes at arena offset `at` were written that nobody is told of: they are dirty for a migration all the same. */
  wrote(at: number, length: number): void {
    const { publisher } = this.vq;
    if (publisher instanceof PageWatch) publisher.wrote(at, length);
  }

  /** Takes over what a negotiation brought. */
  protected negotiated(features: FeatureSet): void {
    this.features = features;
    this.packed = features.has('RING_PACKED');
    this.receiveRules = receiveRules(features);
    this.transmitRules = transmitRules(features);
  }
}
