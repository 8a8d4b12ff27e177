import type { Arena } from '@vhostlab/memory';
import type { FeatureSet } from '@vhostlab/virtio-net';
import type { FrameBatch } from '../frames/frame-batch.ts';
import { BATCH_FRAMES } from '../frames/frame-batch.ts';
import { NEEDS_BATCH, OneCopy } from '../path/one-copy.ts';
import { ReceivePath } from '../path/receive-path.ts';
import { swapMacsAt } from '../path/swap-macs.ts';
import { TransmitPath } from '../path/transmit-path.ts';
import type { Port } from '../ports/port.ts';
import { writeRarpFrame } from '../ports/rarp-frame.ts';
import type { ReceiveRing } from '../rings/receive-ring.ts';
import type { TransmitRing } from '../rings/transmit-ring.ts';

/** A queue pair between its rings and its port. Either ring may be missing: it is not started. */
export class QueuePair {
  receive: ReceivePath | undefined;
  transmit: TransmitPath | undefined;
  /** Undefined: frames go back to the guest that sent them. */
  readonly port: Port | undefined;
  readonly #swaps: boolean;
  readonly #batch: FrameBatch;
  readonly #arena: Arena;
  readonly #patience: number;
  /** When frames go back, and both rings are there. */
  #oneCopy: OneCopy | undefined;

  /** `patience`: looks at a transmitq that may find nothing while less than a burst is there. */
  constructor(port: Port | undefined, swaps: boolean, batch: FrameBatch, arena: Arena, patience: number) {
    this.port = port;
    this.#patience = patience;
    this.#swaps = swaps;
    this.#batch = batch;
    this.#arena = arena;
  }

  /** The ring was started, or stopped. */
  attachReceive(ring: ReceiveRing | undefined, features: FeatureSet): void {
    this.receive = ring && new ReceivePath(ring, features, this.#arena);
    this.#join();
  }

  /** The ring was started, or stopped. */
  attachTransmit(ring: TransmitRing | undefined, features: FeatureSet): void {
    const { frameBytes } = this.#batch;
    this.transmit = ring && new TransmitPath(ring, features, this.#arena, frameBytes, this.#patience);
    this.#join();
  }

  #join(): void {
    const { transmit, receive, port } = this;
    const returns = port === undefined && transmit !== undefined && receive !== undefined;
    this.#oneCopy = returns ? new OneCopy(this.#arena, transmit, receive, this.#swaps) : undefined;
  }

  /** One burst in each direction at most. Answers how many frames or buffers were handled; 0: nothing to do. */
  turn(): number {
    return this.#fromGuest() + this.#toGuest();
  }

  #fromGuest(): number {
    const { transmit, port } = this;
    if (transmit === undefined) return 0;
    const batch = this.#batch;
    if (this.#oneCopy !== undefined) {
      const moved = this.#oneCopy.turn(BATCH_FRAMES);
      if (moved !== NEEDS_BATCH) return moved;
    }
    const taken = transmit.dequeue(batch, BATCH_FRAMES);
    if (batch.count === 0) return taken;
    if (port !== undefined) port.fromGuest(batch);
    else if (this.receive !== undefined) {
      if (this.#swaps) swapMacsAt(this.#arena, batch.offset, batch.count);
      this.receive.enqueue(batch);
    }
    return taken;
  }

  #toGuest(): number {
    const { receive, port } = this;
    // a guest without buffers leaves frames where they are: the port keeps or drops them
    if (receive === undefined || port === undefined || !receive.hasRoom()) return 0;
    const batch = this.#batch;
    port.toGuest(batch, port.keeps ? receive.room(BATCH_FRAMES) : BATCH_FRAMES);
    if (batch.count > 0) receive.enqueue(batch);
    return batch.count;
  }

  /** Announces the guest's address behind the port (SEND_RARP). */
  announce(mac: Uint8Array): void {
    const batch = this.#batch;
    const home = batch.home(0);
    batch.clearHeaders();
    batch.offset[0] = home;
    batch.length[0] = writeRarpFrame(this.#arena.u8, home, mac);
    batch.count = 1;
    this.port?.fromGuest(batch);
  }

  /** Asks both drivers for kicks (before sleep), or for none. */
  wantKicks(wanted: boolean): void {
    for (const ring of [this.transmit?.ring, this.receive?.ring]) {
      if (ring === undefined || !ring.isAlive) continue;
      ring.wantKicks(wanted);
    }
  }

  /** True when a turn would find something: looked at once more between asking for kicks and sleep. */
  hasWork(nowNs: number): boolean {
    const { transmit, receive, port } = this;
    // frames that go back wait in their ring for buffers
    const mayTake =
      this.#oneCopy === undefined || receive?.ring.isPlain === false || receive?.hasRoom() === true;
    if (mayTake && transmit?.ring.isAlive === true && transmit.ring.queue.hasAvailable()) return true;
    return port !== undefined && receive?.hasRoom() === true && port.dueInNs(nowNs) === 0;
  }

  /** Nanoseconds until the port has something by the clock. */
  dueInNs(nowNs: number): number {
    const { receive, port } = this;
    return port === undefined || receive?.hasRoom() !== true ? Number.POSITIVE_INFINITY : port.dueInNs(nowNs);
  }
}
