import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import { type Arena, PacketPool } from '@vhostlab/memory';
import { NicRxBurst, NicRxDriver, NicTxDriver, nicRingBytes } from '@vhostlab/nic-queue';

/** Registers of a NIC queue pair, by offset: what its driver writes through the channel. */
export const NIC_REGISTERS = {
  rxTail: 0,
  txTail: 4,
  rxRing: 8,
  rxSize: 12,
  txRing: 16,
  txSize: 20,
  enable: 24,
  rxInterrupt: 28,
} as const;

/** Notification of a NIC queue pair: frames have arrived. */
export const NIC_VECTOR_RX = 0;

/** What a driver of a NIC queue pair is made of. */
export interface NicPortOptions {
  /** Window that holds rings and buffers, `rings.<core>`. */
  window: string;
  windowBytes: number;
  ringSize: number;
  /** Buffers of the pool; enough for the receive ring and what is under way. */
  buffers: number;
  bufferBytes: number;
  /** False for a queue pair that only sends. */
  receives: boolean;
  /** Asks for interrupts from the start. */
  interrupts: boolean;
  /** Kernel drivers send through another code path than PMDs. */
  kernel: boolean;
}

const HEADROOM_BYTES = 128;
const BURST = 64;

/** Bytes that a window must have for the rings and buffers of a port. */
export function nicPortWindowBytes(ringSize: number, buffers: number, bufferBytes: number): number {
  return nicRingBytes(ringSize) * 2 + buffers * (bufferBytes + 64) + 64 * 1024;
}

/** Descriptors of a ring and buffers, as OVS-DPDK has them by default. */
const POLL_MODE_RING = 2048;
const POLL_MODE_BUFFERS = 8192;
/** Buffers from this size on hold frames of 64 KiB: shorter rings, in which the wire has milliseconds of work still. */
const LARGE_BUFFER_BYTES = 16_384;
const LARGE_RING = 512;
/** Both rings full and some bursts under way. */
const LARGE_BUFFERS = 1536;

/** Sizes of a poll-mode driver's rings and buffers of `bufferBytes` each, headroom included. */
export function pollModeSizes(
  bufferBytes: number,
): Pick<NicPortOptions, 'ringSize' | 'buffers' | 'bufferBytes' | 'windowBytes'> {
  const isLarge = bufferBytes >= LARGE_BUFFER_BYTES;
  const ringSize = isLarge ? LARGE_RING : POLL_MODE_RING;
  const buffers = isLarge ? LARGE_BUFFERS : POLL_MODE_BUFFERS;
  return { ringSize, buffers, bufferBytes, windowBytes: nicPortWindowBytes(ringSize, buffers, bufferBytes) };
}

/** Places of the rings between two cores of a pipeline, and bytes of the frames in them. */
export function stageRing(bufferBytes: number): { capacity: number; bufferBytes: number } {
  const capacity = bufferBytes < LARGE_BUFFER_BYTES ? 1024 : 256;
  return { capacity, bufferBytes: capacity * bufferBytes };
}

/**
 * A host driver of one NIC queue pair: its rings, its buffers, and the doorbells. Frames are handled by their
 * index in `pool`; a frame that is sent belongs to the port until it is reclaimed.
 */
export class NicPort {
  readonly pool: PacketPool;
  readonly end: MemoryEnd;
  /** Frames of the last `receive`, by pool index. */
  readonly received = new Uint32Array(BURST);
  readonly #context: CoreContext;
  readonly #base: number;
  readonly #rx: NicRxDriver;
  readonly #tx: NicTxDriver;
  readonly #burst = new NicRxBurst(BURST);
  readonly #slots = new Uint16Array(BURST);
  readonly #reclaimed = new Uint32Array(BURST);
  readonly #one = new Uint32Array(1);
  readonly #opRx: number;
  readonly #opTx: number;
  readonly #opDoorbell: number;
  readonly #stageTx: number;
  readonly #dropTx: { value: number };
  #unsent = 0;
  #unsentBytes = 0;

  constructor(context: CoreContext, endName: string, options: NicPortOptions) {
    this.#context = context;
    this.end = context.memory(endName);
    this.#base = context.window(options.window);
    const arena: Arena = context.arena.within(this.#base, options.windowBytes);
    const rxRing = arena.alloc(nicRingBytes(options.ringSize));
    const txRing = arena.alloc(nicRingBytes(options.ringSize));
    this.pool = new PacketPool(arena, {
      buffers: options.buffers,
      bufferBytes: options.bufferBytes,
      headroomBytes: HEADROOM_BYTES,
    });
    const ring = { arena: context.arena, publisher: this.end.publisher, size: options.ringSize };
    const addressBias = -this.#base;
    this.#rx = new NicRxDriver({ ...ring, ringOffset: rxRing, addressBias });
    this.#tx = new NicTxDriver({
      ...ring,
      ringOffset: txRing,
      addressBias,
      rsThresh: Math.min(32, options.ringSize / 4),
    });
    this.#opRx = context.op(options.kernel ? 'softirq.skb_alloc' : 'nic.pmd_rx');
    this.#opTx = context.op(options.kernel ? 'nic.kernel_tx' : 'nic.pmd_tx');
    this.#opDoorbell = context.op('nic.doorbell');
    this.#stageTx = context.stage('nic.doorbell');
    this.#dropTx = context.counter('drop.nic-tx-ring-full');
    this.end.write(NIC_REGISTERS.rxRing, 4, rxRing - this.#base);
    this.end.write(NIC_REGISTERS.rxSize, 4, options.receives ? options.ringSize : 0);
    this.end.write(NIC_REGISTERS.txRing, 4, txRing - this.#base);
    this.end.write(NIC_REGISTERS.txSize, 4, options.ringSize);
    this.end.write(NIC_REGISTERS.enable, 4, 1);
    if (options.receives) this.refill();
    this.end.write(NIC_REGISTERS.rxInterrupt, 4, options.interrupts ? 1 : 0);
  }

  /** Takes up to `max` (at most 64) frames into `received`; charges them. */
  receive(max: number): number {
    const count = this.#rx.poll(this.#burst, Math.min(max, BURST));
    if (count === 0) return 0;
    const { pool, end } = this;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const index = this.#burst.cookie[i];
      const slot = this.#burst.slot[i];
      pool.length[index] = this.#burst.length[i];
      pool.packet[index] = end.tagPacket(0, slot);
      pool.bornPs[index] = end.tagBornPs(0, slot);
      pool.aux[index] = this.#burst.hash[i];
      bytes += this.#burst.length[i];
      this.received[i] = index;
    }
    this.#context.meter.charge(this.#opRx, count, bytes);
    return count;
  }

  /** Posts fresh receive buffers and tells the NIC once per burst. */
  refill(): void {
    const want = this.#rx.room;
    if (want < 32 || this.#rx.refillFrom(this.pool, want) === 0) return;
    this.end.write(NIC_REGISTERS.rxTail, 4, this.#rx.flush());
  }

  /** Queues one frame for sending; a full ring drops it. The doorbell follows with `flush`. */
  send(index: number): void {
    if (this.#tx.free < 2) this.reclaim();
    this.#one[0] = index;
    if (this.#tx.postBurst(this.pool, this.#one, 0, 1, this.#slots) === 0) {
      this.#dropTx.value += this.pool.wireFrames(index);
      this.pool.free(index);
      return;
    }
    const { pool } = this;
    this.end.setTag(1, this.#slots[0], pool.packet[index], pool.bornPs[index]);
    const { recorder } = this.#context;
    if (recorder.sampled(pool.packet[index])) {
      recorder.event(this.#stageTx, pool.packet[index], pool.offset[index] - this.#base, pool.length[index]);
    }
    this.#unsent++;
    this.#unsentBytes += pool.length[index];
  }

  /** Rings the doorbell for everything queued; true when there was something. */
  flush(): boolean {
    if (this.#unsent === 0) return false;
    const { meter } = this.#context;
    meter.charge(this.#opTx, this.#unsent, this.#unsentBytes);
    meter.charge(this.#opDoorbell, 1, 0);
    this.#unsent = 0;
    this.#unsentBytes = 0;
    this.end.write(NIC_REGISTERS.txTail, 4, this.#tx.flush());
    this.reclaim();
    return true;
  }

  /** Turns the receive interrupt on or off; re-check `receive` one barrier after turning it on. */
  interrupts(on: boolean): void {
    this.end.write(NIC_REGISTERS.rxInterrupt, 4, on ? 1 : 0);
  }

  /** Frees the buffers of frames that the NIC has sent. */
  reclaim(): void {
    for (;;) {
      const count = this.#tx.reclaim(this.#reclaimed, 0, BURST);
      this.pool.freeBulk(this.#reclaimed, 0, count);
      if (count < BURST) return;
    }
  }
}
