import type { MemoryEnd } from '@vhostlab/engine';
import { ControlQueue, gather, NetConfig, type PciQueue, VirtioPciDevice } from '@vhostlab/virtio-net';
import { CHAIN_OK, type ChainBatch, queueSizeProblem } from '@vhostlab/virtqueue';
import type { Offloads } from '@vhostlab/workload';
import type { Nic } from '../nic.ts';
import { DeviceRing, type RingOwner, ringProblem } from '../queue/device-ring.ts';
import { InterruptGate } from '../queue/interrupt-gate.ts';
import { emptyTotals } from '../queue/queue-totals.ts';
import { offeredFeatures } from './features.ts';
import type { Scratch, VirtioFunction } from './virtio-function.ts';

/** Notification vectors on the register channel: the control queue has been used, the configuration has changed. */
export const VECTOR_CONTROL = 0;
export const VECTOR_CONFIG = 1;

const CONTROL_BYTES = 4096;

/** What a function with virtio-pci registers needs. */
export interface PciFrontOptions {
  readonly guest: number;
  readonly mac: readonly number[];
  readonly offloads: Offloads;
  readonly speedMbps: number;
  /** Register channel of the guest, on which the control queue's words travel too, and those of the queue pairs. */
  readonly registers: MemoryEnd;
  readonly ends: readonly MemoryEnd[];
  readonly maxQueueSize: number;
  readonly scratch: Scratch;
}

/**
 * The virtio-pci front of a function (full offload): the guest's driver talks to these registers, and nothing else
 * stands between them. Doorbells come as register writes or as notifications of the pair's channel; interrupts leave as
 * notifications, after the MSI-X table let them pass.
 */
export class PciFront implements RingOwner {
  readonly device: VirtioPciDevice;
  readonly #nic: Nic;
  readonly #options: PciFrontOptions;
  readonly #function: VirtioFunction;
  readonly #control: ControlQueue;
  readonly #controlGate: InterruptGate;
  readonly #buffer: number;
  #controlRing: DeviceRing | undefined;
  #entries = 0;

  constructor(nic: Nic, fn: VirtioFunction, options: PciFrontOptions) {
    const pairs = options.ends.length;
    this.#nic = nic;
    this.#options = options;
    this.#function = fn;
    this.#buffer = nic.alloc(CONTROL_BYTES);
    const config = new NetConfig({ mac: options.mac, maxQueuePairs: pairs, speedMbps: options.speedMbps });
    this.#control = new ControlQueue(config, {
      onOffloads: (offloads) => fn.setOffloads(offloads),
    });
    fn.steering = this.#control.steering;
    this.#controlGate = new InterruptGate(nic, () => this.device.raiseQueue(this.#controlIndex()));
    this.device = new VirtioPciDevice({
      offers: offeredFeatures(options.offloads, pairs, true),
      queues: pairs * 2 + 1,
      maxQueueSize: options.maxQueueSize,
      config,
      configBytes: 28,
      onStatus: () => this.#onStatus(),
      onReset: () => this.#onReset(),
      onQueueEnable: (queue) => {
        if (this.device.live) this.#start(queue);
      },
      onQueueReset: (queue) => {
        this.#stop(queue.index);
        this.device.finishQueueReset(queue.index);
      },
      onNotify: (queue) => this.doorbell(queue),
      onInterrupt: (vector) => this.#message(vector),
      onIntx: (asserted) => {
        // without MSI-X every queue may have caused it: the driver reads the ISR register and looks
        if (asserted) for (const end of options.ends) end.notify(0);
      },
    });
    options.registers.onRegister(this.device);
  }

  /** Doorbell of the control queue as a notification of the register channel. */
  controlDoorbell(): void {
    this.#controlRing?.doorbell(this.#nic.now());
  }

  /** Doorbell of queue `index`, from the notify registers or from a channel. */
  doorbell(index: number): void {
    if (index === this.#controlIndex()) this.#controlRing?.doorbell(this.#nic.now());
    else this.#function.doorbell(index);
  }

  /** Raises the used buffer notification of a queue. */
  interrupt(index: number): void {
    this.device.raiseQueue(index);
  }

  /** A ring broke: only a reset mends it (virtio 1.3, 2.1.2). */
  onBroken(): void {
    this.device.needsReset();
  }

  room(): number {
    return 16;
  }

  take(batch: ChainBatch, nowPs: number): void {
    const ring = this.#controlRing;
    if (ring === undefined) return;
    for (let c = 0; c < batch.count; c++) ring.queue.pushUsed(batch.slot[c], this.#command(batch, c));
    this.#entries += batch.count;
    ring.writeUsed(nowPs, batch.count, nowPs);
  }

  settle(): number {
    const entries = this.#entries;
    this.#entries = 0;
    return entries;
  }

  abandon(): number {
    return 0;
  }

  broken(reason: string): void {
    this.#nic.context.counter(`queue-broken.${reason}`).value++;
    this.onBroken();
  }

  #controlIndex(): number {
    const { features } = this.device;
    if (!features.has('CTRL_VQ')) return -1;
    // virtio 1.3, 5.1.2: behind the pairs that MQ or RSS make usable
    return features.has('MQ') || features.has('RSS') ? this.#options.ends.length * 2 : 2;
  }

  #onStatus(): void {
    const { device } = this;
    if (!device.live || this.#function.features.has('VERSION_1')) return;
    const { features } = device;
    this.#function.setFeatures(features);
    this.#control.reset(features);
    for (const queue of device.queues) if (queue.enabled) this.#start(queue);
    // without a control queue nobody can say how many pairs there are: those that are enabled
    if (!features.has('CTRL_VQ')) {
      const enabled = device.queues.filter((queue) => queue.enabled && (queue.index & 1) === 0).length;
      this.#function.steering.setPairs(Math.max(1, enabled));
    }
    this.#nic.recorder.note(
      this.#nic.stages.setup,
      `function of guest ${this.#options.guest} is up`,
      features.low,
      features.high,
    );
  }

  #onReset(): void {
    this.#function.reset();
    this.#controlRing?.stop();
    this.#controlRing = undefined;
    this.#control.reset(this.device.features);
  }

  #start(queue: PciQueue): void {
    const { index, size, descriptorArea, driverArea, deviceArea } = queue;
    const addresses = { index, size, descriptorArea, driverArea, deviceArea };
    const problem =
      index === this.#controlIndex() ? this.#startControl(addresses) : this.#function.startRing(addresses);
    if (problem === undefined) return;
    this.#nic.recorder.note(this.#nic.stages.setup, problem, index, this.#options.guest);
    this.#nic.context.counter('queue-broken.setup').value++;
    this.device.needsReset();
  }

  #stop(index: number): void {
    if (index !== this.#controlIndex()) {
      this.#function.stopRing(index);
      return;
    }
    this.#controlRing?.stop();
    this.#controlRing = undefined;
  }

  #startControl(addresses: Parameters<VirtioFunction['startRing']>[0]): string | undefined {
    const { features } = this.device;
    const setup = {
      ...addresses,
      format: features.has('RING_PACKED') ? ('packed' as const) : ('split' as const),
      features: {
        eventIdx: features.has('EVENT_IDX'),
        indirect: features.has('INDIRECT_DESC'),
        inOrder: false,
      },
    };
    const { domain } = this.#function;
    const problem = queueSizeProblem(setup.format, setup.size) ?? ringProblem(domain, setup);
    if (problem !== undefined) return problem;
    const { registers, scratch } = this.#options;
    this.#controlRing = new DeviceRing(
      this.#nic,
      domain,
      registers,
      setup,
      this,
      this.#controlGate,
      scratch.batch,
      emptyTotals(),
    );
    this.#controlRing.start(this.#nic.now());
    return undefined;
  }

  /** Executes the command in chain `c`; answers the bytes written: the result of the command, or 0 without room for it. */
  #command(batch: ChainBatch, c: number): number {
    const { arena } = this.#nic;
    const bytes = Math.min(batch.readableBytes[c], CONTROL_BYTES / 2);
    if (batch.status[c] !== CHAIN_OK || batch.writableBytes[c] < 1) return 0;
    gather(arena, batch, c, 0, this.#buffer, bytes);
    const answer = this.#buffer + CONTROL_BYTES / 2;
    const space = Math.min(CONTROL_BYTES / 2, batch.writableBytes[c]) - 1;
    arena.u8[answer] = this.#control.execute(arena.u8, this.#buffer, bytes, answer + 1, space);
    return this.#scatter(batch, c, answer, 1 + this.#control.resultBytes);
  }

  #scatter(batch: ChainBatch, c: number, from: number, bytes: number): number {
    const stop = batch.firstSegment[c] + batch.segmentCount[c];
    let done = 0;
    for (let s = batch.firstSegment[c]; s < stop && done < bytes; s++) {
      if (batch.writable[s] === 0) continue;
      const part = Math.min(batch.length[s], bytes - done);
      this.#nic.arena.u8.copyWithin(batch.offset[s], from + done, from + done + part);
      this.#options.registers.publisher.cover(batch.offset[s], part);
      done += part;
    }
    return done;
  }

  /** The message of an MSI-X vector leaves: on the channel of the queues that use it. */
  #message(vector: number): void {
    const { ends, registers } = this.#options;
    const control = this.#controlIndex();
    let found = false;
    for (const queue of this.device.queues) {
      if (!queue.enabled || queue.vector !== vector) continue;
      found = true;
      if (queue.index === control) registers.notify(VECTOR_CONTROL);
      else ends[queue.index >>> 1].notify(queue.index & 1);
    }
    if (!found) registers.notify(VECTOR_CONFIG);
  }
}
