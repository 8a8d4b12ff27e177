import type { CoreContext } from '@vhostlab/engine';
import type { FaultBuffer, PacketFault } from '@vhostlab/workload';
import type { BufferPool } from './buffer-pool.ts';
import { HEADER_BYTES } from './rx-path.ts';

/** Faults that the scenario puts into frames after their descriptors are due and before anybody is told. */
export class PacketFaults {
  /** Frame bytes that the descriptor says after `apply`. */
  length = 0;
  readonly #context: CoreContext;
  readonly #pool: BufferPool;
  #base: number;
  readonly #byPacket = new Map<number, PacketFault[]>();
  readonly #buffers: readonly FaultBuffer[];
  readonly #stage: number;

  constructor(
    context: CoreContext,
    pool: BufferPool,
    buffers: readonly FaultBuffer[],
    faults: readonly PacketFault[],
    base: number,
  ) {
    this.#context = context;
    this.#pool = pool;
    this.#base = base;
    this.#buffers = buffers;
    this.#stage = context.stage('fault');
    for (const fault of faults) {
      this.#byPacket.set(fault.packet, [...(this.#byPacket.get(fault.packet) ?? []), fault]);
    }
  }

  /** Guest address 0 is at arena offset `base` from now on. */
  moveTo(base: number): void {
    this.#base = base;
  }

  /** True when the packet has a fault that has not been put into a frame yet. */
  concerns(packet: number): boolean {
    return this.#byPacket.has(packet);
  }

  /**
   * Puts the packet's faults into the frame in `buffer`. Answers the buffer that is to be transmitted: another one
   * when its page is unmapped. Each fault happens once.
   */
  apply(buffer: number, length: number, packet: number): number {
    const { arena, recorder } = this.#context;
    let place = buffer;
    this.length = length;
    for (const { action, value } of this.#byPacket.get(packet) ?? []) {
      recorder.note(this.#stage, action, packet, value);
      if (action === 'shorten') this.length = Math.min(this.length, value);
      else if (action === 'flip' && value < length)
        arena.u8[this.#base + this.#pool.gpa[place] + value] ^= 0xff;
      else if (action === 'unmap') place = this.#move(place, length, packet);
      this.#context.counter(`fault.${action}`).value++;
    }
    this.#byPacket.delete(packet);
    return place;
  }

  /** Copies the frame to the page that is not in the device's map. */
  #move(buffer: number, length: number, packet: number): number {
    const k = this.#buffers.findIndex((candidate) => candidate.packet === packet);
    const to = this.#pool.firstFault + k;
    const { gpa } = this.#pool;
    const from = this.#base + gpa[buffer] - HEADER_BYTES;
    this.#context.arena.u8.copyWithin(
      this.#base + gpa[to] - HEADER_BYTES,
      from,
      from + HEADER_BYTES + length,
    );
    this.#pool.free(buffer);
    return to;
  }
}
