import type { CoreContext, MemoryEnd, Ps } from '@vhostlab/engine';
import type { GuestPort } from './guest-port.ts';

/** Interrupts of a queue pair as the vCPU takes them: posted into the running guest, or injected at an exit. */
export class Interrupts {
  /** Moment at which the last one was taken. */
  atPs: Ps = 0;
  readonly #context: CoreContext;
  readonly #end: MemoryEnd;
  readonly #op: number;

  constructor(port: GuestPort) {
    this.#context = port.context;
    this.#end = port.vq;
    const isPosted = port.context.constant('kvm.postedInterrupts') !== 0;
    this.#op = port.context.op(isPosted ? 'kvm.inject_posted' : 'kvm.inject_exit');
  }

  /** Vectors that arrived since the last call, as a mask; each is charged. */
  take(): number {
    const mask = this.#end.takeNotified();
    if (mask === 0) return 0;
    let vectors = 0;
    for (let rest = mask; rest !== 0; rest &= rest - 1) vectors++;
    this.#context.meter.charge(this.#op, vectors, 0);
    this.atPs = this.#context.now();
    return mask;
  }
}
