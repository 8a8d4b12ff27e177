import type { FrameMeta, MemoryEnd, Ps } from '@vhostlab/engine';
import { DecodedHeaders, decodeInto } from '@vhostlab/packet';
import {
  FeatureSet,
  HDR_F_DATA_VALID,
  type HeaderRules,
  headerBytes,
  ReceiveSteering,
  receiveRules,
  transmitRules,
  transportChecksumOk,
} from '@vhostlab/virtio-net';
import { ChainBatch, queueSizeProblem } from '@vhostlab/virtqueue';
import { DmaDomain } from '../dma/dma.ts';
import type { Eswitch, FunctionReceiver } from '../eswitch/eswitch.ts';
import type { IngressPort } from '../eswitch/ingress-port.ts';
import { type Nic, wireFrames } from '../nic.ts';
import { DequeueQueue, HEADROOM_BYTES, STAGING_BYTES } from '../queue/dequeue-queue.ts';
import { DeviceRing, type RingOwner, type RingSetup, ringProblem } from '../queue/device-ring.ts';
import { EnqueueQueue } from '../queue/enqueue-queue.ts';
import { InterruptGate } from '../queue/interrupt-gate.ts';
import { emptyTotals, type QueueTotals } from '../queue/queue-totals.ts';

/** Notification vectors on the memory channel of a queue pair. */
export const VECTOR_RX = 0;
export const VECTOR_TX = 1;

/** Places that all queues of a NIC share: nothing in them outlives a call. */
export interface Scratch {
  readonly batch: ChainBatch;
  readonly staging: number;
  readonly header: number;
}

/** Makes the shared places. */
export function createScratch(nic: Nic): Scratch {
  return {
    batch: new ChainBatch(nic.constants.descriptorPrefetch),
    staging: nic.alloc(HEADROOM_BYTES + STAGING_BYTES),
    header: nic.alloc(32),
  };
}

/** What a virtio function of the NIC consists of. */
export interface FunctionOptions {
  /** 1 to 511: its domain in the IOMMU. */
  readonly number: number;
  /** Port of the bridge behind which it is. */
  readonly port: number;
  /** One memory channel per queue pair. */
  readonly ends: readonly MemoryEnd[];
  readonly scratch: Scratch;
  /** The driver of queue `index` is to be interrupted. */
  interrupt(index: number): void;
  /** A ring broke. */
  onBroken(index: number, reason: string): void;
}

/** Addresses and size of a ring, as the driver's side said them; `end`: where its words go, if not to the guest. */
export type RingAddresses = Omit<RingSetup, 'format' | 'features'> & { end?: MemoryEnd };

/**
 * One network function of the NIC: queue pairs whose rings are in a guest, behind a port of the embedded switch. How it
 * is set up is the business of its front: virtio-pci registers, or a vDPA parent.
 */
export class VirtioFunction implements FunctionReceiver {
  readonly domain: DmaDomain;
  /** Which pair a received frame goes to; a front with a control queue puts its own here. */
  steering = new ReceiveSteering();
  rules: HeaderRules = receiveRules(FeatureSet.EMPTY);
  features = FeatureSet.EMPTY;
  readonly #nic: Nic;
  readonly #options: FunctionOptions;
  readonly #ingress: IngressPort;
  readonly #rings: (DeviceRing | undefined)[] = [];
  readonly #enqueue: (EnqueueQueue | undefined)[] = [];
  readonly #dequeue: (DequeueQueue | undefined)[] = [];
  readonly #gates: InterruptGate[];
  readonly #totals: QueueTotals[];
  /** Why a queue's ring broke; empty: it did not. */
  readonly #faults: string[];
  readonly #headers = new DecodedHeaders();
  readonly #touched: EnqueueQueue[] = [];

  constructor(nic: Nic, eswitch: Eswitch, options: FunctionOptions) {
    this.#nic = nic;
    this.#options = options;
    this.domain = new DmaDomain(nic.dma, options.number);
    this.#ingress = eswitch.ingress(options.port, false);
    eswitch.attach(options.port, this);
    const queues = options.ends.length * 2;
    this.#gates = Array.from(
      { length: queues },
      (_, i) =>
        new InterruptGate(nic, () => {
          this.#totals[i].calls++;
          options.interrupt(i);
        }),
    );
    this.#totals = Array.from({ length: queues }, emptyTotals);
    this.#faults = new Array<string>(queues).fill('');
  }

  get pairs(): number {
    return this.#options.ends.length;
  }

  /** Takes the negotiated features; rings that run keep the old ones. */
  setFeatures(features: FeatureSet): void {
    this.features = features;
    this.rules = receiveRules(features);
  }

  /** Receive offloads that the driver wants at present. */
  setOffloads(offloads: FeatureSet): void {
    this.rules = receiveRules(offloads);
  }

  /** Starts the ring of queue `addresses.index`; undefined when it runs, else one sentence on why not. */
  startRing(addresses: RingAddresses): string | undefined {
    const { index } = addresses;
    const setup = this.#setup(addresses);
    if (index >= this.pairs * 2) return `queue ${index} does not exist`;
    const problem = queueSizeProblem(setup.format, setup.size) ?? ringProblem(this.domain, setup);
    if (problem !== undefined) return problem;
    this.#forget(index);
    this.#faults[index] = '';
    const ring = (index & 1) === 0 ? this.#startEnqueue(setup) : this.#startDequeue(setup);
    this.#rings[index] = ring;
    ring.start(this.#nic.now());
    return undefined;
  }

  /** Stops a ring and answers where it stands; 0 for one that never ran. */
  stopRing(index: number): number {
    const ring = this.#rings[index];
    if (ring === undefined) return 0;
    const base = ring.suspend();
    this.#forget(index);
    this.#gates[index].reset();
    return base;
  }

  /** What went through queue `index`, and how its ring is. */
  report(index: number): QueueTotals & { running: boolean; base: number; violation: string } {
    const ring = this.#rings[index];
    return {
      ...this.#totals[index],
      running: ring !== undefined,
      base: ring?.queue.saveBase() ?? 0,
      violation: this.#faults[index],
    };
  }

  /** Lets go of a queue's ring. */
  #forget(index: number): void {
    this.#rings[index]?.dispose();
    this.#rings[index] = undefined;
    const pair = index >>> 1;
    if ((index & 1) === 0) this.#enqueue[pair]?.attach(undefined);
    else this.#dequeue[pair]?.dispose();
    ((index & 1) === 0 ? this.#enqueue : this.#dequeue)[pair] = undefined;
  }

  /** Forgets rings and features, as after a device reset. */
  reset(): void {
    for (let index = 0; index < this.pairs * 2; index++) {
      this.#forget(index);
      this.#gates[index].reset();
    }
    this.steering.reset();
    this.setFeatures(FeatureSet.EMPTY);
  }

  /** True when no frame that its driver sent waits in the embedded switch. */
  get isSent(): boolean {
    return this.#ingress.waiting === 0;
  }

  /** True when a frame would find a buffer in every receive queue that runs, and one runs. */
  get hasBuffers(): boolean {
    let running = false;
    for (let pair = 0; pair < this.pairs; pair++) {
      if (!this.isRunning(2 * pair)) continue;
      running = true;
      if (this.#enqueue[pair]?.hasBuffer !== true) return false;
    }
    return running;
  }

  isRunning(index: number): boolean {
    return this.#rings[index]?.running === true;
  }

  /** The driver has put buffers into queue `index`. */
  doorbell(index: number): void {
    const now = this.#nic.now();
    this.#nic.dma.pcie.registerWrite(now, 4);
    this.#rings[index]?.doorbell(now);
  }

  receive(offset: number, length: number, meta: FrameMeta, atPs: Ps, latencyPs: Ps): void {
    const { steering } = this;
    let pair = 0;
    if (steering.pairs === 1 && this.#enqueue[0]?.hasBuffer === false) {
      // nothing to look at the frame for
      this.#enqueue[0].deliver(offset, length, meta, atPs, latencyPs, 0, 0);
      return;
    }
    if (steering.pairs > 1 || steering.rss || this.rules.csum) {
      const { u8 } = this.#nic.arena;
      decodeInto(u8, offset, length, this.#headers);
      if (steering.pairs > 1 || steering.rss) pair = steering.select(u8, offset, this.#headers);
      if (this.rules.csum && meta.flags === 0 && transportChecksumOk(u8, offset, this.#headers)) {
        meta.flags = HDR_F_DATA_VALID;
      }
    }
    const queue = this.#enqueue[pair];
    if (queue === undefined) {
      this.#nic.drop('guest-not-ready', wireFrames(length, meta));
      return;
    }
    const wasOpen = queue.open;
    queue.deliver(offset, length, meta, atPs, latencyPs, steering.hashValue, steering.hashReport);
    if (!wasOpen && queue.open) this.#touched.push(queue);
  }

  /** Ends the groups of used entries of this run. */
  close(): void {
    for (let i = 0; i < this.#touched.length; i++) this.#touched[i].close();
    this.#touched.length = 0;
  }

  #setup(addresses: RingAddresses): RingSetup {
    const { features } = this;
    return {
      ...addresses,
      format: features.has('RING_PACKED') ? 'packed' : 'split',
      features: {
        eventIdx: features.has('EVENT_IDX'),
        indirect: features.has('INDIRECT_DESC'),
        inOrder: features.has('IN_ORDER'),
      },
    };
  }

  #startEnqueue(setup: RingSetup): DeviceRing {
    const pair = setup.index >>> 1;
    const end = this.#endOf(setup);
    const { scratch } = this.#options;
    const queue = new EnqueueQueue(
      this.#nic,
      {
        domain: this.domain,
        end,
        headerBytes: headerBytes(this.features),
        mergeable: this.features.has('MRG_RXBUF'),
        cacheChains: Math.min(setup.size, 3 * this.#nic.constants.descriptorPrefetch),
        header: scratch.header,
        totals: this.#totals[setup.index],
        onBroken: (reason) => this.#broken(setup.index, reason),
      },
      setup.size,
    );
    this.#enqueue[pair] = queue;
    const ring = this.#ring(setup, end, queue, scratch);
    queue.attach(ring);
    return ring;
  }

  #startDequeue(setup: RingSetup): DeviceRing {
    const pair = setup.index >>> 1;
    const end = this.#endOf(setup);
    const { scratch } = this.#options;
    const queue = new DequeueQueue(this.#nic, {
      domain: this.domain,
      end,
      headerBytes: headerBytes(this.features),
      rules: transmitRules(this.features),
      port: this.#learningPort(pair),
      staging: scratch.staging,
      header: scratch.header,
      totals: this.#totals[setup.index],
      onBroken: (reason) => this.#broken(setup.index, reason),
    });
    this.#dequeue[pair] = queue;
    const ring = this.#ring(setup, end, queue, scratch);
    queue.attach(ring);
    return ring;
  }

  #endOf({ index, end }: RingSetup & { end?: MemoryEnd }): MemoryEnd {
    return end ?? this.#options.ends[index >>> 1];
  }

  #ring(setup: RingSetup, end: MemoryEnd, queue: RingOwner, scratch: Scratch): DeviceRing {
    const gate = this.#gates[setup.index];
    const totals = this.#totals[setup.index];
    return new DeviceRing(this.#nic, this.domain, end, setup, queue, gate, scratch.batch, totals);
  }

  /** The ingress port, with automatic steering learning from what the driver transmits (virtio 1.3, 5.1.6.5.6). */
  #learningPort(pair: number): IngressPort | LearningPort {
    return this.pairs === 1 ? this.#ingress : new LearningPort(this.#nic, this.steering, pair, this.#ingress);
  }

  #broken(index: number, reason: string): void {
    this.#nic.context.counter(`queue-broken.${reason}`).value++;
    this.#faults[index] = reason;
    this.#nic.recorder.note(this.#nic.stages.setup, `queue broken: ${reason}`, index, this.#options.port);
    this.#options.onBroken(index, reason);
  }
}

/** An ingress port that tells the receive steering which queue a flow was sent on. */
class LearningPort {
  readonly #nic: Nic;
  readonly #steering: ReceiveSteering;
  readonly #pair: number;
  readonly #ingress: IngressPort;
  readonly #headers = new DecodedHeaders();

  constructor(nic: Nic, steering: ReceiveSteering, pair: number, ingress: IngressPort) {
    this.#nic = nic;
    this.#steering = steering;
    this.#pair = pair;
    this.#ingress = ingress;
  }

  input(offset: number, length: number, meta: FrameMeta, atPs: Ps, owned: boolean): boolean {
    if (this.#steering.pairs > 1 && !this.#steering.rss) {
      decodeInto(this.#nic.arena.u8, offset, length, this.#headers);
      this.#steering.learn(this.#nic.arena.u8, offset, this.#headers, this.#pair);
    }
    return this.#ingress.input(offset, length, meta, atPs, owned);
  }

  wait(supplier: Parameters<IngressPort['wait']>[0]): void {
    this.#ingress.wait(supplier);
  }
}
