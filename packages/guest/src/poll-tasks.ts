import { BARRIER, type CoreContext, DONE, IDLE, type Task, type TaskResult } from '@vhostlab/engine';
import { FrameFeeder } from './frame-feeder.ts';
import { FrameForwarder } from './frame-forwarder.ts';
import { FrameSink } from './frame-sink.ts';
import type { GuestPort } from './guest-port.ts';
import { BURST_LIMIT } from './rx-path.ts';

/** A poll-mode source, as a DPDK generator: bursts into the transmit queue for as long as it has room. */
export class PollSource implements Task {
  readonly name = 'guest.source';
  readonly #port: GuestPort;
  readonly #context: CoreContext;
  readonly #feeder: FrameFeeder;
  readonly #burst: number;
  readonly #opAlloc: number;
  readonly #opEmpty: number;
  readonly #charges: FeederCharges;
  readonly #stageAlloc: number;

  /** `feeder`: that of several devices, one of which it sends on. */
  constructor(port: GuestPort, feeder = new FrameFeeder(port)) {
    this.#port = port;
    this.#context = port.context;
    this.#feeder = feeder;
    this.#charges = new FeederCharges(port.context);
    this.#burst = Math.min(BURST_LIMIT, port.context.constant('guest.burst'));
    this.#opAlloc = port.context.op('guest.mbuf_alloc');
    this.#opEmpty = port.context.op('guest.poll_empty');
    this.#stageAlloc = port.context.stage('guest.skb_alloc');
  }

  run(): TaskResult {
    const port = this.#port;
    const context = this.#context;
    if (port.isHalting) return port.settle(() => undefined);
    if (!port.opened) {
      silence(port);
      port.open();
      return BARRIER;
    }
    port.checkKicks();
    const reclaimed = port.tx.reclaim(BURST_LIMIT);
    if (!port.isActive) return reclaimed > 0 ? DONE : IDLE;
    const frames = this.#feeder.fill(this.#burst, context.now());
    if (frames > 0) {
      context.meter.charge(this.#opAlloc, frames, 0);
      this.#charges.charge(this.#feeder);
      port.tx.sampled.record(context.recorder, this.#stageAlloc);
      port.tx.publish();
      return BARRIER;
    }
    context.meter.charge(this.#opEmpty, 1, 0);
    if (reclaimed > 0) return DONE;
    const next = this.#feeder.nextPs;
    if (next > context.now() && next < Number.POSITIVE_INFINITY) context.wakeAt(next);
    return IDLE;
  }
}

/** A poll-mode guest that receives: testpmd's rxonly and io forwarding, and a responder. */
export class PollReceiver implements Task {
  readonly name: string;
  readonly #port: GuestPort;
  readonly #context: CoreContext;
  readonly #sink: FrameSink | undefined;
  readonly #forwarder: FrameForwarder | undefined;
  readonly #burst: number;
  readonly #opEmpty: number;
  readonly #opAlloc: number;
  readonly #opForward: number;
  readonly #opChecksum: number;
  readonly #stagePoll: number;
  readonly #stageDeliver: number;

  /** `sink`: that of several devices. */
  constructor(port: GuestPort, role: 'sink' | 'forward' | 'respond', sink?: FrameSink) {
    const { context } = port;
    this.name = `guest.${role}`;
    this.#port = port;
    this.#context = context;
    if (role === 'sink') this.#sink = sink ?? new FrameSink(port);
    else this.#forwarder = new FrameForwarder(port, role === 'respond');
    this.#burst = Math.min(BURST_LIMIT, context.constant('guest.burst'));
    this.#opEmpty = context.op('guest.poll_empty');
    this.#opAlloc = context.op('guest.mbuf_alloc');
    this.#opForward = context.op('guest.forward');
    this.#opChecksum = context.op('guest.checksum');
    this.#stagePoll = context.stage('guest.napi_poll');
    this.#stageDeliver = context.stage('guest.skb_deliver');
  }

  run(): TaskResult {
    const port = this.#port;
    const { meter } = this.#context;
    if (port.isHalting) return port.settle(() => this.#handle());
    if (!port.opened) {
      silence(port);
      port.open();
      return BARRIER;
    }
    port.checkKicks();
    const { rx, tx } = port;
    const reclaimed = this.#forwarder === undefined ? 0 : tx.reclaim(BURST_LIMIT);
    if (port.again !== undefined && port.resubmit() > 0) {
      tx.publish();
      return BARRIER;
    }
    // what is sent again goes before what comes in now
    const isFree = port.again === undefined || this.#forwarder === undefined;
    const used = isFree ? rx.pop(this.#burst) : 0;
    if (used === 0) {
      meter.charge(this.#opEmpty, 1, 0);
      return reclaimed > 0 ? DONE : IDLE;
    }
    this.#handle();
    meter.charge(this.#opAlloc, used, 0);
    rx.refill();
    rx.publish();
    return BARRIER;
  }

  /** Takes the frames of the burst where they go. */
  #handle(): void {
    const port = this.#port;
    const { rx, tx } = port;
    const { meter } = this.#context;
    port.tlb.charge();
    this.#record(this.#stagePoll);
    if (this.#forwarder !== undefined) {
      this.#forwarder.take(rx);
      meter.charge(this.#opForward, rx.count, 0);
      const { checksums, checksumBytes } = this.#forwarder;
      if (checksums > 0) meter.charge(this.#opChecksum, checksums, checksumBytes);
      tx.publish();
    } else {
      this.#record(this.#stageDeliver);
      this.#sink?.take(rx, port);
      for (let i = 0; i < rx.count; i++) port.pool.free(rx.buffer[i]);
    }
  }

  /** One event of every sampled frame of the burst. */
  #record(stage: number): void {
    const { rx, pool } = this.#port;
    const { recorder } = this.#context;
    for (let i = 0; i < rx.count; i++) {
      if (!recorder.sampled(rx.packet[i])) continue;
      recorder.event(stage, rx.packet[i], pool.gpa[rx.buffer[i]], rx.length[i]);
    }
  }
}

/** Charges for what the application and the software offloads of a source did. */
export class FeederCharges {
  readonly #context: CoreContext;
  readonly #opGso: number;
  readonly #opChecksum: number;

  constructor(context: CoreContext) {
    this.#context = context;
    this.#opGso = context.op('guest.gso');
    this.#opChecksum = context.op('guest.checksum');
  }

  charge(feeder: FrameFeeder): void {
    const { meter } = this.#context;
    const { segments, segmentBytes, checksums, checksumBytes } = feeder.work;
    if (segments > 0) {
      meter.charge(this.#opGso, segments, segmentBytes);
      meter.charge(this.#opChecksum, segments, segmentBytes);
    }
    if (checksums > 0) meter.charge(this.#opChecksum, checksums, checksumBytes);
  }
}

/** A polling guest wants no interrupts. */
function silence(port: GuestPort): void {
  port.rx.queue.disableInterrupts();
  port.tx.queue.disableInterrupts();
}
