import { NIC_REGISTERS, NIC_VECTOR_RX } from '@vhostlab/datapath';
import { testFrame } from '@vhostlab/datapath/test-kit';
import {
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type MemoryEnd,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { NIC_RX_LAST, NicRxDevice } from '@vhostlab/nic-queue';

/** A receive queue with an interrupt: what it puts into its ring, and when. */
export interface InterruptNicConfig {
  end: string;
  window: string;
  /** Frames from the wire: the i-th has `lengths[i % lengths.length]` bytes. */
  frames: number;
  lengths: number[];
  startPs: number;
  /** Distances between frames, in turn. */
  gapsPs: number[];
}

/** Puts frames into one receive ring; a cause that comes while the interrupt is off is told when it is on again. */
class InterruptNic implements Task {
  readonly name = 'test.nic';
  readonly #context: CoreContext;
  readonly #config: InterruptNicConfig;
  readonly #end: MemoryEnd;
  readonly #base: number;
  readonly #registers = new Map<number, number>();
  #rx: NicRxDevice | undefined;
  #next = 0;
  #duePs: number;
  #cause = false;

  constructor(context: CoreContext, config: InterruptNicConfig) {
    this.#context = context;
    this.#config = config;
    this.#end = context.memory(config.end);
    this.#base = context.window(config.window);
    this.#duePs = config.startPs;
    this.#end.onRegister({
      readRegister: (offset) => this.#register(offset),
      writeRegister: (offset, _width, value) => this.#write(offset, value),
    });
  }

  run(): TaskResult {
    let count = 0;
    for (; this.#next < this.#config.frames && this.#duePs <= this.#context.now(); count++) this.#receive();
    if (count > 0) {
      this.#rx?.flush();
      this.#cause = true;
      this.#interrupt();
      return DONE;
    }
    if (this.#next < this.#config.frames) this.#context.wakeAt(this.#duePs);
    return IDLE;
  }

  #register(offset: number): number {
    return this.#registers.get(offset) ?? 0;
  }

  #write(offset: number, value: number): void {
    this.#registers.set(offset, value);
    if (offset === NIC_REGISTERS.rxInterrupt) this.#interrupt();
    if (offset !== NIC_REGISTERS.enable) return;
    this.#rx = new NicRxDevice({
      arena: this.#context.arena,
      publisher: this.#end.publisher,
      ringOffset: this.#base + this.#register(NIC_REGISTERS.rxRing),
      size: this.#register(NIC_REGISTERS.rxSize),
    });
  }

  #interrupt(): void {
    if (!this.#cause || this.#register(NIC_REGISTERS.rxInterrupt) === 0) return;
    this.#cause = false;
    this.#registers.set(NIC_REGISTERS.rxInterrupt, 0);
    this.#context.counter('interrupts').value++;
    this.#end.notify(NIC_VECTOR_RX);
  }

  #receive(): void {
    const { lengths, gapsPs } = this.#config;
    const packet = this.#next++;
    const bornPs = this.#duePs;
    this.#duePs += gapsPs[packet % gapsPs.length];
    this.#context.counter('frames.offered').value++;
    const rx = this.#rx;
    rx?.fetch(this.#register(NIC_REGISTERS.rxTail), 64);
    const slot = rx === undefined ? -1 : rx.take();
    if (rx === undefined || slot < 0) {
      this.#context.counter('drop.nic-rx-ring-full').value++;
      return;
    }
    const frame = testFrame(packet, lengths[packet % lengths.length]);
    const at = this.#base + rx.address[slot];
    this.#context.arena.u8.set(frame, at);
    this.#end.publisher.cover(at, frame.length);
    this.#end.setTag(0, slot, packet, bornPs);
    rx.writeBack(frame.length, NIC_RX_LAST, 0, 0, 1);
  }
}

/** Core module of a receive queue with an interrupt. */
export const interruptNicModule: CoreModule = {
  create(context: CoreContext, config: InterruptNicConfig): void {
    context.addTask(new InterruptNic(context, config));
  },
};
