import type { Arena } from '@vhostlab/memory';
import type { RingRestart } from '../options.ts';
import type { App, AppReport, PairContext } from './app.ts';
import { Buffers } from './buffers.ts';
import { COUNTER, countersOf } from './counters.ts';
import { makeApp } from './make-app.ts';
import type { Agreement, PairPlan, WorkerPlan } from './plan.ts';
import { MAX_FRAME_BYTES, ReceiveSide } from './receive-side.ts';
import { Ring } from './ring.ts';
import { TransmitSide } from './transmit-side.ts';

const REPLAYED = COUNTER.replayed;

/** One queue pair in a worker: its rings, its buffers and what the guest does with them. */
export class PairRunner {
  readonly rings: readonly [Ring, Ring];
  readonly #rx: ReceiveSide;
  readonly #tx: TransmitSide;
  readonly app: App;
  readonly #collections: number;
  #isKept = false;

  constructor(
    arena: Arena,
    plan: WorkerPlan,
    pair: PairPlan,
    agreement: Agreement,
    scratch: (bytes: number) => number,
  ) {
    const rxRing = new Ring(arena, pair.rx, agreement, countersOf(plan.counters, pair.rx.index));
    const txRing = new Ring(arena, pair.tx, agreement, countersOf(plan.counters, pair.tx.index));
    this.rings = [rxRing, txRing];
    const rxBuffers = new Buffers(pair.rxBuffers);
    // forward sends from the buffers in which frames came
    const txBuffers = plan.workload.kind === 'forward' ? rxBuffers : new Buffers(pair.txBuffers);
    this.#rx = new ReceiveSide(arena, rxRing, rxBuffers, agreement, plan.burst, scratch(MAX_FRAME_BYTES));
    this.#tx = new TransmitSide(txRing, txBuffers, agreement, plan.txLayout, plan.burst);
    const context: PairContext = {
      arena,
      plan,
      pair,
      number: pair.rx.index >>> 1,
      agreement,
      rx: this.#rx,
      tx: this.#tx,
      scratch,
    };
    this.app = makeApp(context);
    this.#collections = 4 * Math.ceil(pair.rx.size / plan.burst);
    this.#rx.fill();
    rxRing.publish();
  }

  /** Both eventfds of each ring; the first kick goes out if the device wants it. */
  attach(index: number, kick: number, call: number): void {
    const ring = this.rings[index & 1];
    ring.attach(kick, call);
    ring.publish();
    // a back end that takes over does not know that the last kick was for its predecessor
    if (this.#isKept) ring.kick();
  }

  /** Takes all that is used, and leaves the rings alone from now on. */
  detach(): void {
    for (const ring of this.rings) ring.detach();
    // a device that goes on all the same shall not hold us: two rounds of both rings are enough for what was used before
    for (let i = 0; i < this.#collections && this.app.collect(); i++);
  }

  get isAttached(): boolean {
    return this.rings[0].isAttached;
  }

  rewind(agreement: Agreement): RingRestart[] {
    this.#isKept = false;
    return [this.#rx, this.#tx].map((side) => {
      const { base, reset, outstanding } = side.rewind(agreement);
      side.ring.counters[REPLAYED] += outstanding.length;
      return { index: side.ring.plan.index, base, reset, replayed: outstanding.length };
    });
  }

  /** Leaves both rings to a back end that knows what its predecessor had in flight. */
  keep(): RingRestart[] {
    this.#isKept = true;
    return this.rings.map((ring) => {
      const { inFlight } = ring.queue;
      ring.counters[REPLAYED] += inFlight;
      return { index: ring.plan.index, base: ring.usedBase(), reset: false, replayed: inFlight };
    });
  }

  report(): AppReport {
    return this.app.report();
  }
}
