import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import { type FeatureSet, type HeaderRules, receiveRules, transmitRules } from '@vhostlab/virtio-net';
import { BufferPool } from './buffer-pool.ts';
import type { VcpuConfig } from './core-config.ts';
import { TlbMeter } from './tlb-meter.ts';

/** What both directions of a vCPU's queue pair share. */
export class PairContext {
  readonly context: CoreContext;
  readonly config: VcpuConfig;
  readonly vq: MemoryEnd;
  readonly features: FeatureSet;
  readonly packed: boolean;
  /** Arena offset of guest address 0. */
  readonly base: number;
  readonly pool: BufferPool;
  readonly tlb: TlbMeter;
  readonly receiveRules: HeaderRules;
  readonly transmitRules: HeaderRules;

  constructor(context: CoreContext, config: VcpuConfig, features: FeatureSet) {
    this.context = context;
    this.config = config;
    this.vq = context.memory('vq');
    this.features = features;
    this.packed = features.has('RING_PACKED');
    this.base = context.window(config.window);
    this.pool = new BufferPool(config.pair);
    this.tlb = new TlbMeter(context, config.scenario.pages);
    this.receiveRules = receiveRules(features);
    this.transmitRules = transmitRules(features);
  }
}
