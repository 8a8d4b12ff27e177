import { BARRIER, type CoreContext, IDLE, type Task, type TaskResult } from '@vhostlab/engine';
import { HDR_F_DATA_VALID, HDR_F_NEEDS_CSUM } from '@vhostlab/virtio-net';
import { VECTOR_RX } from './doorbell.ts';
import { FrameForwarder } from './frame-forwarder.ts';
import { FrameSink } from './frame-sink.ts';
import type { GuestPort } from './guest-port.ts';
import { Interrupts } from './interrupts.ts';
import { BURST_LIMIT, HEADER_BYTES } from './rx-path.ts';

/**
 * A kernel guest that receives: an interrupt starts polling with interrupts off; a poll below its budget turns them on
 * again and, after a barrier, looks once more before the vCPU sleeps (virtio 1.3, 2.7.14).
 */
export class NapiReceiver implements Task {
  readonly name: string;
  readonly #port: GuestPort;
  readonly #context: CoreContext;
  readonly #interrupts: Interrupts;
  readonly #sink: FrameSink | undefined;
  readonly #forwarder: FrameForwarder | undefined;
  readonly #budget: number;
  readonly #responds: boolean;
  readonly #ops: {
    poll: number;
    deliver: number;
    appRx: number;
    appTx: number;
    alloc: number;
    forward: number;
    checksum: number;
  };
  readonly #stageInject: number;
  readonly #stagePoll: number;
  readonly #stageDeliver: number;
  readonly #stageAlloc: number;
  #polling = true;
  #rechecks = false;
  /** The interrupt that started the current polling has not been recorded for its frames. */
  #injected = false;

  /** `sink`: that of several devices. */
  constructor(port: GuestPort, role: 'sink' | 'forward' | 'respond', sink?: FrameSink) {
    const { context } = port;
    this.name = `guest.${role}`;
    this.#port = port;
    this.#context = context;
    this.#interrupts = new Interrupts(port);
    if (role === 'sink') this.#sink = sink ?? new FrameSink(port);
    else this.#forwarder = new FrameForwarder(port, role === 'respond');
    this.#responds = role === 'respond';
    this.#budget = Math.min(BURST_LIMIT, context.constant('napi.budget'));
    this.#ops = {
      poll: context.op('guest.napi_poll'),
      deliver: context.op('guest.skb_deliver'),
      appRx: context.op('guest.app_rx'),
      appTx: context.op('guest.app_tx'),
      alloc: context.op('guest.skb_alloc'),
      forward: context.op('guest.forward'),
      checksum: context.op('guest.checksum'),
    };
    this.#stageInject = context.stage('kvm.inject');
    this.#stagePoll = context.stage('guest.napi_poll');
    this.#stageDeliver = context.stage('guest.skb_deliver');
    this.#stageAlloc = context.stage('guest.skb_alloc');
  }

  run(): TaskResult {
    const port = this.#port;
    const { rx } = port;
    if (port.isHalting) return port.settle(() => this.#handle());
    if (!port.opened) {
      this.#polling = true;
      port.tx.queue.disableInterrupts();
      rx.queue.disableInterrupts();
      port.open();
      return BARRIER;
    }
    const rang = (this.#interrupts.take() & (1 << VECTOR_RX)) !== 0;
    port.checkKicks();
    if (rang) this.#injected = true;
    if (!this.#polling && (rang || (this.#rechecks && rx.queue.hasUsed()))) {
      this.#polling = true;
      rx.queue.disableInterrupts();
    }
    this.#rechecks = false;
    if (!this.#polling) return IDLE;
    const used = this.#poll();
    if (used < this.#budget && port.again === undefined) {
      this.#polling = false;
      this.#rechecks = true;
      rx.queue.enableInterrupts();
    }
    return BARRIER;
  }

  /** One poll; answers the used buffers that it took. */
  #poll(): number {
    const port = this.#port;
    const { rx, tx } = port;
    const { meter } = this.#context;
    if (this.#forwarder !== undefined) tx.reclaim(BURST_LIMIT);
    if (port.again !== undefined) {
      port.resubmit();
      tx.publish();
    }
    meter.charge(this.#ops.poll, 1, 0);
    // what is sent again goes before what comes in now
    const isFree = port.again === undefined || this.#forwarder === undefined;
    const used = isFree ? rx.pop(this.#budget) : 0;
    if (used === 0) return 0;
    this.#handle();
    rx.refill();
    rx.publish();
    return used;
  }

  /** Takes the frames of the burst where they go. */
  #handle(): void {
    const port = this.#port;
    const { rx } = port;
    port.tlb.charge();
    this.#record(this.#stagePoll);
    this.#deliver();
    if (this.#forwarder !== undefined) {
      this.#forward(this.#forwarder);
      return;
    }
    this.#sink?.take(rx, port);
    for (let i = 0; i < rx.count; i++) port.pool.free(rx.buffer[i]);
  }

  /** The stack: checksums that the device did not vouch for, then the socket or the bridge. */
  #deliver(): void {
    const { rx, pool, base, tlb } = this.#port;
    const { meter, arena } = this.#context;
    const { u8 } = arena;
    let unchecked = 0;
    let bytes = 0;
    const toApp = this.#sink !== undefined || this.#responds;
    for (let i = 0; i < rx.count; i++) {
      const gpa = pool.gpa[rx.buffer[i]];
      if ((u8[base + gpa - HEADER_BYTES] & (HDR_F_DATA_VALID | HDR_F_NEEDS_CSUM)) !== 0) continue;
      unchecked++;
      bytes += rx.length[i];
      if (toApp) tlb.tlb.touchRange(gpa, rx.length[i]);
    }
    meter.charge(this.#ops.deliver, rx.count, 0);
    if (toApp && unchecked > 0) meter.charge(this.#ops.checksum, unchecked, bytes);
    this.#record(this.#stageDeliver);
    if (toApp) meter.charge(this.#ops.appRx, rx.count, 0);
  }

  #forward(forwarder: FrameForwarder): void {
    const { rx, tx } = this.#port;
    const { meter, recorder } = this.#context;
    forwarder.take(rx);
    if (this.#responds) {
      meter.charge(this.#ops.appTx, rx.count, 0);
      meter.charge(this.#ops.alloc, rx.count, 0);
      tx.sampled.record(recorder, this.#stageAlloc);
    } else {
      meter.charge(this.#ops.forward, rx.count, 0);
    }
    const { checksums, checksumBytes } = forwarder;
    if (checksums > 0) meter.charge(this.#ops.checksum, checksums, checksumBytes);
    tx.publish();
  }

  /** One event of every sampled frame of the burst; the first poll after an interrupt records that one too. */
  #record(stage: number): void {
    const { rx, pool } = this.#port;
    const { recorder } = this.#context;
    for (let i = 0; i < rx.count; i++) {
      const packet = rx.packet[i];
      if (!recorder.sampled(packet)) continue;
      const gpa = pool.gpa[rx.buffer[i]];
      if (this.#injected) recorder.eventAt(this.#interrupts.atPs, this.#stageInject, packet, gpa, 0);
      recorder.event(stage, packet, gpa, rx.length[i]);
    }
    this.#injected = false;
  }
}
