import { NicPort } from '@vhostlab/datapath';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { FrameHasher } from '@vhostlab/workload';

/** What a host driver does with frames. */
export interface HostConfig {
  window: string;
  windowBytes: number;
  ringSize: number;
  /** forward: sends what it receives. sink: counts it. source: sends `count` frames. */
  role: 'forward' | 'sink' | 'source';
  interrupts: boolean;
  /** Extra work per frame, as charges of one operation. */
  charges: number;
  count: number;
  /** Frame to send, base64, and its offload fields. */
  frame: string;
  offload: {
    flags: number;
    gsoType: number;
    hdrLen: number;
    gsoSize: number;
    csumStart: number;
    csumOffset: number;
  };
}

/** A host driver of one NIC queue pair. */
export const hostModule: CoreModule = {
  create(context: CoreContext, config: HostConfig): void {
    context.addTask(new Host(context, config));
  },
};

class Host implements Task {
  readonly name = 'host';
  readonly #context: CoreContext;
  readonly #config: HostConfig;
  readonly #port: NicPort;
  readonly #hasher = new FrameHasher();
  readonly #delivered;
  readonly #offered;
  readonly #interrupts;
  #sent = 0;
  #armed = false;

  constructor(context: CoreContext, config: HostConfig) {
    this.#context = context;
    this.#config = config;
    this.#port = new NicPort(context, 'nic', {
      window: config.window,
      windowBytes: config.windowBytes,
      ringSize: config.ringSize,
      buffers: config.ringSize * 2,
      bufferBytes: 4096,
      receives: true,
      interrupts: false,
      kernel: false,
    });
    this.#delivered = context.counter('frames.delivered');
    this.#offered = context.counter('frames.offered');
    this.#interrupts = context.counter('interrupts');
    context.onCollect('host', () => ({ sha256: this.#hasher.digest(), frames: this.#hasher.frames }));
  }

  run(): TaskResult {
    const port = this.#port;
    const { meter } = this.#context;
    const { u8 } = this.#context.arena;
    if (port.end.takeNotified() !== 0) this.#interrupts.value++;
    meter.charge(this.#context.op('nic.poll_empty'), 1, 0);
    const count = port.receive(32);
    for (let i = 0; i < count; i++) {
      const index = port.received[i];
      meter.charge(this.#context.op('switch.parse'), this.#config.charges, 0);
      if (this.#config.role === 'forward') port.send(index);
      else {
        this.#delivered.value++;
        this.#hasher.add(u8, port.pool.offset[index], port.pool.length[index]);
        port.pool.free(index);
      }
    }
    const sent = this.#source();
    if (count > 0) port.refill();
    if (port.flush() || count > 0 || sent > 0) {
      this.#armed = false;
      return DONE;
    }
    if (!this.#config.interrupts) return IDLE;
    if (this.#armed) return IDLE;
    this.#armed = true;
    port.interrupts(true);
    return BARRIER;
  }

  #source(): number {
    const { role, count, frame, offload } = this.#config;
    const startPs = this.#context.constant('run.trafficStartNs') * 1000;
    if (role !== 'source' || this.#sent === count) return 0;
    if (this.#context.now() < startPs) {
      this.#context.wakeAt(startPs);
      return 0;
    }
    const { pool } = this.#port;
    const bytes = Buffer.from(frame, 'base64');
    let n = 0;
    // 325 ns a frame: a little faster than the wire takes them
    const nextPs = startPs + this.#sent * 325_000;
    if (this.#context.now() < nextPs) {
      this.#context.wakeAt(nextPs);
      return 0;
    }
    while (this.#sent < count && n < 16) {
      const index = pool.alloc();
      this.#context.arena.u8.set(bytes, pool.offset[index]);
      pool.length[index] = bytes.length;
      pool.packet[index] = this.#sent;
      pool.bornPs[index] = this.#context.now();
      pool.flags[index] = offload.flags;
      pool.gsoType[index] = offload.gsoType;
      pool.hdrLen[index] = offload.hdrLen;
      pool.gsoSize[index] = offload.gsoSize;
      pool.csumStart[index] = offload.csumStart;
      pool.csumOffset[index] = offload.csumOffset;
      this.#port.send(index);
      this.#offered.value++;
      this.#sent++;
      n++;
    }
    return n;
  }
}
