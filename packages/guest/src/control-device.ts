import type { CoreContext } from '@vhostlab/engine';
import { AddressSpace, PERMISSION_RW } from '@vhostlab/memory';
import { type ControlQueue, gather, type VirtioPciDevice } from '@vhostlab/virtio-net';
import { ChainBatch, type DeviceQueue, PackedDevice, SplitDevice } from '@vhostlab/virtqueue';
import type { VmmConfig } from './core-config.ts';

/** Longest command that is taken. */
const COMMAND_BYTES = 2048;

/** The device side of the control queue, which the VMM serves itself. */
export class ControlDevice {
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #device: VirtioPciDevice;
  readonly #control: ControlQueue;
  readonly #batch = new ChainBatch(8, 64);
  readonly #scratch: number;
  #queue: DeviceQueue | undefined;

  constructor(context: CoreContext, config: VmmConfig, device: VirtioPciDevice, control: ControlQueue) {
    this.#context = context;
    this.#config = config;
    this.#device = device;
    this.#control = control;
    this.#scratch = context.arena.alloc(COMMAND_BYTES);
  }

  /** The driver has set DRIVER_OK: the queue is where its registers say. */
  open(): void {
    const { features, queues } = this.#device;
    const pci = queues[queues.length - 1];
    this.#control.reset(features);
    if (!pci.enabled) return;
    const { arena } = this.#context;
    const { publisher } = this.#context.memory('pci');
    const base = this.#context.window(this.#config.window);
    const space = new AddressSpace(arena);
    space.map(0, this.#config.layout.bytes, base, PERMISSION_RW);
    const place = {
      size: pci.size,
      index: pci.index,
      descOffset: base + pci.descriptorArea,
      driverOffset: base + pci.driverArea,
      deviceOffset: base + pci.deviceArea,
      features: {
        eventIdx: features.has('EVENT_IDX'),
        indirect: features.has('INDIRECT_DESC'),
        inOrder: features.has('IN_ORDER'),
      },
    };
    this.#queue = features.has('RING_PACKED')
      ? new PackedDevice(arena, publisher, space, place)
      : new SplitDevice(arena, publisher, space, place);
  }

  /** Executes the commands that are there and answers each with its ack byte. */
  run(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const batch = this.#batch;
    const { arena } = this.#context;
    const { publisher } = this.#context.memory('pci');
    const taken = queue.pop(batch, batch.chainCapacity);
    for (let c = 0; c < taken; c++) {
      const slot = batch.slot[c];
      const last = batch.firstSegment[c] + batch.segmentCount[c] - 1;
      const readable = Math.min(batch.readableBytes[c], COMMAND_BYTES);
      if (batch.status[c] !== 0 || batch.writable[last] !== 1 || batch.length[last] < 1) {
        queue.pushUsed(slot, 0);
        continue;
      }
      const bytes = gather(arena, batch, c, 0, this.#scratch, readable);
      arena.u8[batch.offset[last]] = this.#control.execute(arena.u8, this.#scratch, bytes);
      publisher.cover(batch.offset[last], 1);
      queue.pushUsed(slot, 1);
    }
    if (taken > 0) queue.publishUsed();
  }
}
