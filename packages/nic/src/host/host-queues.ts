import type { FrameMeta, MemoryEnd, Ps, RegisterTarget } from '@vhostlab/engine';
import { NicRxDevice, NicTxDevice } from '@vhostlab/nic-queue';
import { DecodedHeaders, decodeInto, RssHasher } from '@vhostlab/packet';
import type { Nic } from '../nic.ts';
import type { FramePort } from '../queue/frame-port.ts';
import { InterruptGate } from '../queue/interrupt-gate.ts';
import { HostRx } from './host-rx.ts';
import { HostTx, MAX_SEGMENTS } from './host-tx.ts';

/** Registers of a host queue pair, as byte offsets of its channel. */
const RX_TAIL = 0;
const TX_TAIL = 4;
const RX_RING = 8;
const RX_SIZE = 12;
const TX_RING = 16;
const TX_SIZE = 20;
const ENABLE = 24;
const RX_INTERRUPT = 28;

const VECTOR_RX = 0;

/** What a queue pair of the physical function needs. */
export interface HostQueuesOptions {
  readonly end: MemoryEnd;
  /** Arena offset of the driver's window: addresses count from it. */
  readonly base: number;
  readonly bufferBytes: number;
  readonly port: FramePort;
  readonly staging: number;
}

/**
 * One queue pair of the physical function, driven by a host driver through registers and descriptor rings. Its receive
 * interrupt is masked by firing; a cause that comes while it is masked fires when the driver enables it again.
 */
export class HostQueues implements RegisterTarget {
  readonly #nic: Nic;
  readonly #options: HostQueuesOptions;
  readonly #gate: InterruptGate;
  readonly #registers = new Uint32Array(8);
  #rx: HostRx | undefined;
  #tx: HostTx | undefined;
  #cause = 0;

  constructor(nic: Nic, options: HostQueuesOptions) {
    this.#nic = nic;
    this.#options = options;
    this.#gate = new InterruptGate(nic, () => options.end.notify(VECTOR_RX));
    options.end.onRegister(this);
  }

  /** The receive side while it is enabled and has a ring. */
  get rx(): HostRx | undefined {
    return this.#rx;
  }

  /** True when every frame taken for it is with its driver. */
  get isReceived(): boolean {
    return this.#rx === undefined || this.#rx.isIdle;
  }

  /** True when everything that its driver wanted to be sent was handed to the port. */
  get isSent(): boolean {
    return this.#tx === undefined || this.#tx.isIdle;
  }

  readRegister(offset: number, width: number): number {
    return width === 4 && offset % 4 === 0 ? (this.#registers[offset >>> 2] ?? 0) : 0;
  }

  writeRegister(offset: number, width: number, value: number): void {
    if (width !== 4 || offset % 4 !== 0 || offset > RX_INTERRUPT) return;
    const now = this.#nic.now();
    this.#nic.dma.pcie.registerWrite(now, 4);
    this.#registers[offset >>> 2] = value;
    if (offset === RX_TAIL) this.#rx?.setTail(value, now);
    else if (offset === TX_TAIL) this.#tx?.setTail(value, now);
    else if (offset === ENABLE) this.#enable(value !== 0, now);
    else if (offset === RX_INTERRUPT) this.#fireCause(now);
  }

  #enable(on: boolean, nowPs: Ps): void {
    this.#rx?.stop();
    this.#tx?.stop();
    this.#rx = undefined;
    this.#tx = undefined;
    this.#gate.reset();
    this.#cause = 0;
    if (!on) {
      this.#registers.fill(0);
      return;
    }
    const { end, base, bufferBytes, port, staging } = this.#options;
    const { arena, context, recorder, stages } = this.#nic;
    const registers = this.#registers;
    const ring = { arena, publisher: end.publisher };
    try {
      const rxSize = registers[RX_SIZE >>> 2];
      if (rxSize > 0) {
        const device = new NicRxDevice({
          ...ring,
          ringOffset: base + registers[RX_RING >>> 2],
          size: rxSize,
        });
        this.#rx = new HostRx(this.#nic, end, device, rxSize, base, bufferBytes, {
          arrived: (frames, now) => this.#arrived(frames, now),
          announce: (packet) => this.#gate.announce(packet),
        });
      }
      const txSize = registers[TX_SIZE >>> 2];
      if (txSize > 0) {
        const place = {
          ringOffset: base + registers[TX_RING >>> 2],
          size: txSize,
          maxSegments: Math.min(MAX_SEGMENTS, txSize - 1),
        };
        this.#tx = new HostTx(this.#nic, end, new NicTxDevice({ ...ring, ...place }), base, port, staging);
      }
    } catch (error) {
      context.counter('queue-broken.host-setup').value++;
      recorder.note(stages.setup, `host queue refused: ${(error as Error).message}`, 0, 0);
      return;
    }
    recorder.note(stages.setup, 'host queue enabled', registers[RX_SIZE >>> 2], registers[TX_SIZE >>> 2]);
    this.#rx?.setTail(registers[RX_TAIL >>> 2], nowPs);
  }

  #arrived(frames: number, nowPs: Ps): void {
    this.#cause += frames;
    this.#fireCause(nowPs);
  }

  #fireCause(nowPs: Ps): void {
    const enabled = this.#registers[RX_INTERRUPT >>> 2] === 1;
    if (!enabled || this.#cause === 0) return;
    const frames = this.#cause;
    this.#cause = 0;
    this.#registers[RX_INTERRUPT >>> 2] = 0;
    this.#gate.raise(nowPs, frames);
  }
}

/** Entries of the RSS indirection table. */
const TABLE = 128;

/** The physical function's receive side: spreads frames over the queues that are enabled, by Toeplitz hash. */
export class HostReceiver {
  readonly #nic: Nic;
  #queues: readonly HostQueues[];
  readonly #headers = new DecodedHeaders();
  readonly #hasher = new RssHasher();
  readonly #touched: HostRx[] = [];
  readonly #active: HostRx[] = [];

  constructor(nic: Nic, queues: readonly HostQueues[]) {
    this.#nic = nic;
    this.#queues = queues;
  }

  /** From now on frames go to these queues only. */
  select(queues: readonly HostQueues[]): void {
    this.#queues = queues;
    this.refresh();
  }

  /** Looks which queues are enabled; called at the start of every run. */
  refresh(): void {
    this.#active.length = 0;
    for (let i = 0; i < this.#queues.length; i++) {
      const { rx } = this.#queues[i];
      if (rx !== undefined) this.#active.push(rx);
    }
  }

  /** Takes a frame from the wire that arrived at `atPs` (not after now). */
  receive(offset: number, length: number, meta: FrameMeta, atPs: Ps): void {
    const active = this.#active;
    if (active.length === 0) {
      this.#nic.drop('nic-rx-no-queue');
      return;
    }
    let rx = active[0];
    if (active.length === 1 && !rx.hasDescriptor) {
      this.#nic.drop('nic-rx-ring-full');
      return;
    }
    const { u8 } = this.#nic.arena;
    decodeInto(u8, offset, length, this.#headers);
    this.#hasher.hash(u8, offset, this.#headers);
    const hash = this.#hasher.value;
    if (active.length > 1) rx = active[(hash & (TABLE - 1)) % active.length];
    const wasOpen = rx.open;
    rx.deliver(offset, length, meta, atPs, hash);
    if (!wasOpen && rx.open) this.#touched.push(rx);
  }

  /** Ends the groups of write-backs of this run. */
  close(): void {
    for (let i = 0; i < this.#touched.length; i++) this.#touched[i].close();
    this.#touched.length = 0;
  }
}
