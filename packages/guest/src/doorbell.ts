import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import type { DriverQueue } from '@vhostlab/virtqueue';
import type { DoorbellKind } from './core-config.ts';
import type { SampledFrames } from './sampled-frames.ts';

/** Vectors of a queue pair's channel, both ways. */
export const VECTOR_RX = 0;
export const VECTOR_TX = 1;

/** What a kick costs, as operation and stage, by the way it takes. */
const STEPS = {
  ioeventfd: [
    ['guest.kick', 'guest.kick'],
    ['kvm.exit', 'kvm.exit'],
    ['kvm.ioeventfd', 'kvm.ioeventfd'],
  ],
  mapped: [['guest.doorbell', 'guest.kick']],
  relayed: [
    ['guest.kick', 'guest.kick'],
    ['vdpa.doorbell_relay', 'vdpa.relay'],
  ],
} as const;

/** The doorbell page of a vDPA device is mapped into the guest, unless the profile says that it is relayed. */
function vdpaDoorbell(context: CoreContext): 'mapped' | 'relayed' {
  return context.constant('vdpa.doorbellMapped') === 0 ? 'relayed' : 'mapped';
}

/** Tells the device about available buffers: through an exit, or by a write to a mapped page. */
export class Doorbell {
  readonly #context: CoreContext;
  readonly #end: MemoryEnd;
  readonly #ops: readonly number[];
  readonly #opCheck: number;
  readonly #stages: readonly number[];

  constructor(context: CoreContext, end: MemoryEnd, kind: DoorbellKind) {
    this.#context = context;
    this.#end = end;
    const steps = STEPS[kind === 'vdpa' ? vdpaDoorbell(context) : kind];
    this.#ops = steps.map(([op]) => context.op(op));
    this.#stages = steps.map(([, stage]) => context.stage(stage));
    this.#opCheck = context.op('guest.kick_check');
  }

  /** Kicks if the device wants it. In a later run than the publication, after a barrier. */
  check(queue: DriverQueue, vector: number, sampled: SampledFrames): void {
    const { meter, recorder } = this.#context;
    meter.charge(this.#opCheck, 1, 0);
    if (!queue.shouldKick()) return;
    for (let step = 0; step < this.#ops.length; step++) {
      meter.charge(this.#ops[step], 1, 0);
      for (let i = 0; i < sampled.count; i++) {
        recorder.event(this.#stages[step], sampled.packet[i], sampled.gpa[i], sampled.length[i]);
      }
    }
    this.#end.notify(vector);
  }
}
