import { type Fd, signalEvent } from '@vhostlab/host';
import { AddressSpace, type Arena, PERMISSION_RW } from '@vhostlab/memory';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  PackedDevice,
  type RingFeatures,
  SplitDevice,
} from '@vhostlab/virtqueue';
import type { GuestMemory } from '../src/memory/guest-memory.ts';
import type { QueuePlan } from '../src/worker/plan.ts';

const HEADER_BYTES = 12;
const BURST = 32;

/** A ring of the device side on the memory of a guest in this process. */
export class FakeRing {
  readonly queue: DeviceQueue;
  readonly chains = new ChainBatch(BURST);
  /** Numbers of the eventfds. */
  readonly kick: number;
  readonly call: number;

  constructor(
    arena: Arena,
    space: AddressSpace,
    plan: QueuePlan,
    features: RingFeatures,
    base: number,
    kick: Fd,
    call: Fd,
  ) {
    const publisher = new DirectPublisher(arena);
    const place = { ...plan, features };
    this.queue =
      plan.format === 'split'
        ? new SplitDevice(arena, publisher, space, place)
        : new PackedDevice(arena, publisher, space, place);
    if (!this.queue.restoreBase(base)) throw new Error(`base ${base} is outside the ring`);
    this.kick = kick.number;
    this.call = call.number;
  }

  publish(): void {
    this.queue.publishUsed();
    if (this.queue.shouldCall()) signalEvent(this.call);
  }
}

/** Address space of a device that sees all memory of a guest. */
export function spaceOf(memory: GuestMemory): AddressSpace {
  const space = new AddressSpace(memory.arena);
  for (const { gpa, bytes, arenaOffset } of memory.regions) space.map(gpa, bytes, arenaOffset, PERMISSION_RW);
  return space;
}

/** Takes all frames that were sent: bytes without header, a copy of each. */
export function dequeue(arena: Arena, ring: FakeRing): Uint8Array[] {
  const { queue, chains } = ring;
  const frames: Uint8Array[] = [];
  for (let n = queue.pop(chains, BURST); n > 0; n = queue.pop(chains, BURST)) {
    for (let c = 0; c < n; c++) {
      if (chains.status[c] !== 0) throw new Error(`chain with status ${chains.status[c]}`);
      frames.push(bytesOf(arena, chains, c).slice(HEADER_BYTES));
      queue.pushUsed(chains.slot[c], 0);
    }
  }
  ring.publish();
  return frames;
}

/** Readable bytes of chain `c`, one after the other. */
export function bytesOf(arena: Arena, chains: ChainBatch, c: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const from = chains.firstSegment[c];
  for (let s = from; s < from + chains.segmentCount[c]; s++) {
    parts.push(arena.u8.slice(chains.offset[s], chains.offset[s] + chains.length[s]));
  }
  return Buffer.concat(parts);
}

/**
 * Gives one frame to the guest, in as many buffers as it takes; false when there are not enough. `keepsHeader` leaves
 * num_buffers as the header has it.
 */
export function enqueue(
  arena: Arena,
  ring: FakeRing,
  frame: Uint8Array,
  header = new Uint8Array(HEADER_BYTES),
  keepsHeader = false,
): boolean {
  const { queue, chains } = ring;
  const bytes = Buffer.concat([header, frame]);
  let at = 0;
  let parts = 0;
  const used: [number, number][] = [];
  let headerAt = -1;
  while (at < bytes.length) {
    if (queue.pop(chains, 1) === 0) {
      if (parts > 0) queue.unpop(parts);
      return false;
    }
    parts++;
    const s = chains.firstSegment[0];
    const n = Math.min(chains.length[s], bytes.length - at);
    arena.u8.set(bytes.subarray(at, at + n), chains.offset[s]);
    if (headerAt < 0) headerAt = chains.offset[s];
    used.push([chains.slot[0], n]);
    at += n;
  }
  if (!keepsHeader) arena.u8[headerAt + 10] = parts;
  for (const [slot, n] of used) queue.pushUsed(slot, n);
  ring.publish();
  return true;
}
