import {
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type MemoryEnd,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { NIC_RX_LAST, NicRxDevice, NicTxBurst, NicTxDevice } from '@vhostlab/nic-queue';
import { NIC_REGISTERS } from '../src/index.ts';
import { hex, testFrame } from './frames.ts';

/** A NIC queue pair for tests: what it puts into its receive ring, and when. */
export interface NicCoreConfig {
  /** End of the `nicq` channel, and the window of its rings. */
  end: string;
  window: string;
  /** Frames from the wire: the i-th has `lengths[i % lengths.length]` bytes and leaves `gapPs` after the one before. */
  frames: number;
  lengths: number[];
  startPs: number;
  gapPs: number;
}

/** What the core collects as `nic`. */
export interface NicCoreResult {
  /** Sent frames in order: number of the packet and its bytes. */
  sent: { packet: number; bytes: string }[];
  faults: number;
}

/** A NIC that puts test frames into one receive ring and keeps what one transmit ring sends. */
class NicCore implements Task {
  readonly name = 'test.nic';
  readonly #context: CoreContext;
  readonly #config: NicCoreConfig;
  readonly #end: MemoryEnd;
  readonly #base: number;
  readonly #registers = new Map<number, number>();
  readonly #burst = new NicTxBurst(64, 256);
  readonly #sent: NicCoreResult['sent'] = [];
  #rx: NicRxDevice | undefined;
  #tx: NicTxDevice | undefined;
  #next = 0;
  #faults = 0;

  constructor(context: CoreContext, config: NicCoreConfig) {
    this.#context = context;
    this.#config = config;
    this.#end = context.memory(config.end);
    this.#base = context.window(config.window);
    this.#end.onRegister({
      readRegister: (offset) => this.#registers.get(offset) ?? 0,
      writeRegister: (offset, _width, value) => this.#write(offset, value),
    });
    context.onCollect('nic', (): NicCoreResult => ({ sent: this.#sent, faults: this.#faults }));
  }

  run(): TaskResult {
    const received = this.#receive();
    const sent = this.#send();
    if (received || sent) return DONE;
    if (this.#next < this.#config.frames) this.#context.wakeAt(this.#duePs(this.#next));
    return IDLE;
  }

  #write(offset: number, value: number): void {
    this.#registers.set(offset, value);
    if (offset !== NIC_REGISTERS.enable || value === 0) return;
    const ring = { arena: this.#context.arena, publisher: this.#end.publisher };
    const at = (register: number) => this.#registers.get(register) ?? 0;
    const rxSize = at(NIC_REGISTERS.rxSize);
    if (rxSize > 0) {
      this.#rx = new NicRxDevice({
        ...ring,
        ringOffset: this.#base + at(NIC_REGISTERS.rxRing),
        size: rxSize,
      });
    }
    this.#tx = new NicTxDevice({
      ...ring,
      ringOffset: this.#base + at(NIC_REGISTERS.txRing),
      size: at(NIC_REGISTERS.txSize),
      maxSegments: 4,
    });
  }

  #duePs(packet: number): number {
    return this.#config.startPs + packet * this.#config.gapPs;
  }

  /** Puts every frame that is due into the ring, or drops it. */
  #receive(): boolean {
    const { frames, lengths } = this.#config;
    const { arena } = this.#context;
    const now = this.#context.now();
    const rx = this.#rx;
    let count = 0;
    for (; this.#next < frames && this.#duePs(this.#next) <= now; this.#next++, count++) {
      const packet = this.#next;
      this.#context.counter('frames.offered').value++;
      rx?.fetch(this.#registers.get(NIC_REGISTERS.rxTail) ?? 0, 64);
      const slot = rx === undefined ? -1 : rx.take();
      if (rx === undefined || slot < 0) {
        this.#context.counter('drop.nic-rx-ring-full').value++;
        continue;
      }
      const frame = testFrame(packet, lengths[packet % lengths.length]);
      const at = this.#base + rx.address[slot];
      arena.u8.set(frame, at);
      this.#end.publisher.cover(at, frame.length);
      this.#end.setTag(0, slot, packet, this.#duePs(packet));
      rx.writeBack(frame.length, NIC_RX_LAST, 0, 0, 1);
    }
    rx?.flush();
    return count > 0;
  }

  /** Keeps what was sent and completes it. */
  #send(): boolean {
    const tx = this.#tx;
    if (tx === undefined) return false;
    const burst = this.#burst;
    const packets = tx.readBurst(this.#registers.get(NIC_REGISTERS.txTail) ?? 0, 64, burst);
    if (packets < 0) this.#faults++;
    if (packets <= 0) return false;
    for (let p = 0; p < packets; p++) {
      const bytes: number[] = [];
      for (let s = burst.firstSegment[p]; s < burst.firstSegment[p] + burst.segmentCount[p]; s++) {
        const at = this.#base + burst.address[s];
        bytes.push(...this.#context.arena.u8.subarray(at, at + burst.segmentLength[s]));
      }
      this.#sent.push({ packet: this.#end.tagPacket(1, burst.slot[p]), bytes: hex(Uint8Array.from(bytes)) });
      this.#context.counter('frames.delivered').value++;
    }
    tx.complete(burst.descriptors);
    return true;
  }
}

/** Core module of the NIC for tests. */
export const nicCoreModule: CoreModule = {
  create(context: CoreContext, config: NicCoreConfig): void {
    context.addTask(new NicCore(context, config));
  },
};
