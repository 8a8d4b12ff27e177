import { drainEvent, type Reactor, readBytes, setNonBlocking, signalEvent, sleep } from '@vhostlab/host';
import { AddressSpace, Arena, DirtyLog, PERMISSION_RW } from '@vhostlab/memory';
import type {
  BackendDevice,
  DeviceOffer,
  Fd,
  LogArea,
  MappedRegion,
  MemoryChange,
  Refused,
  RingBase,
  RingSetup,
} from '@vhostlab/vhost-user';
import { EchoRing, type RingOwner } from './echo-ring.ts';
import type { DeviceFaults } from './faults.ts';

const HEADER_BYTES = 12;
const STATE_MS = 100;

/** What the device tells its program. */
export interface EchoHost {
  /** A ring is broken by its driver. */
  broken(): void;
  /** The process ends, as a crash would end it. */
  die(): void;
}

/**
 * A device that gives every frame of a transmit queue back in the receive queue of the same pair, with the rings of this
 * project. Correct, unless `faults` says otherwise.
 */
export class EchoDevice implements BackendDevice, RingOwner {
  readonly offer: DeviceOffer;
  readonly arena: Arena;
  readonly reactor: Reactor;
  readonly faults: DeviceFaults;
  readonly host: EchoHost;
  readonly space: AddressSpace;
  features = 0n;
  log: DirtyLog | null = null;
  /** Nothing is done any more. */
  isStuck = false;
  needlessKicks = 0;
  #regions: readonly MappedRegion[] = [];
  readonly #rings = new Map<number, EchoRing>();
  readonly #starts = new Map<number, number>();

  constructor(
    offer: DeviceOffer,
    buffer: ArrayBufferLike,
    reactor: Reactor,
    faults: DeviceFaults,
    host: EchoHost,
  ) {
    this.offer = offer;
    this.arena = new Arena(buffer);
    this.reactor = reactor;
    this.faults = faults;
    this.host = host;
    this.space = new AddressSpace(this.arena);
  }

  /** Handles what waits in all transmit queues. */
  turn(): void {
    for (const ring of this.#rings.values()) if (ring.index % 2 === 1) ring.turn();
  }

  /** The frame of a transmit queue goes back to the guest; false when there was no room. */
  deliver(index: number, frame: Uint8Array): void {
    this.#rings.get(index - 1)?.receive(frame, HEADER_BYTES);
  }

  /** Marks pages of a write of `bytes` at an arena offset. */
  logWrite(offset: number, bytes: number): void {
    if (this.log === null) return;
    for (const { gpa, mapping } of this.#regions) {
      const into = offset - mapping.arenaOffset;
      if (into < 0 || into >= mapping.bytes) continue;
      this.log.mark(gpa + into, bytes);
    }
  }

  async setFeatures(features: bigint): Promise<Refused | null> {
    this.features = features;
    return null;
  }

  setProtocolFeatures(): void {}

  async memoryChanged({ regions, rings }: MemoryChange): Promise<void> {
    this.#regions = regions;
    this.space.clear();
    const known = this.faults.knowsOneRegion === true ? regions.slice(0, 1) : regions;
    for (const { gpa, bytes, mapping } of known) {
      this.space.map(gpa, bytes, mapping.arenaOffset, PERMISSION_RW);
    }
    if (this.faults.stopsOnMemory === true && this.#rings.size > 0) this.isStuck = true;
    for (const { index, areas } of rings) this.#rings.get(index)?.place(areas);
  }

  async startRing(setup: RingSetup): Promise<Refused | null> {
    for (const fd of [setup.kick, setup.call, setup.err]) if (fd !== null) setNonBlocking(fd);
    const starts = (this.#starts.get(setup.index) ?? 0) + 1;
    this.#starts.set(setup.index, starts);
    const ring = new EchoRing(this, setup);
    if (starts > 1 && this.faults.forgetsRestart === true) ring.isDead = true;
    this.#rings.set(setup.index, ring);
    ring.watch();
    this.turn();
    return null;
  }

  async stopRing(index: number): Promise<RingBase> {
    const ring = this.#rings.get(index)!;
    if (this.faults.keepsStoppedRings !== true) {
      ring.stop();
      this.#rings.delete(index);
    }
    return ring.base();
  }

  async setEnabled(index: number, on: boolean): Promise<void> {
    const ring = this.#rings.get(index);
    if (ring !== undefined) ring.enabled = on;
    this.turn();
  }

  async setCall(index: number, fd: Fd | null): Promise<void> {
    const ring = this.#rings.get(index);
    if (fd !== null) setNonBlocking(fd);
    if (ring !== undefined) ring.call = fd?.number ?? -1;
  }

  async setErr(index: number, fd: Fd | null): Promise<void> {
    const ring = this.#rings.get(index);
    if (ring !== undefined) ring.err = fd?.number ?? -1;
  }

  kick(): void {
    this.turn();
  }

  async setLog(log: LogArea | null): Promise<void> {
    if (log?.logAll === true && this.faults.stopsOnLog === true) this.isStuck = true;
    this.log = log?.logAll === true ? new DirtyLog(this.arena, log.arenaOffset, log.bytes) : null;
  }

  async setRingLog(index: number, usedLogGpa: number | null): Promise<void> {
    const ring = this.#rings.get(index);
    if (ring !== undefined) ring.usedLogGpa = usedLogGpa;
  }

  async setInflight(): Promise<void> {}

  inflightBytesPerQueue(queueSize: number): number {
    return Math.ceil((32 + 32 * queueSize) / 64) * 64;
  }

  async setStatus(): Promise<void> {}

  async iotlb(): Promise<void> {}

  async reset(): Promise<void> {
    for (const ring of this.#rings.values()) ring.stop();
    this.#rings.clear();
    this.#starts.clear();
    this.#regions = [];
    this.log = null;
    this.isStuck = false;
  }

  async writeConfig(): Promise<Refused | null> {
    return null;
  }

  async rarp(): Promise<Refused | null> {
    return null;
  }

  async mtu(): Promise<Refused | null> {
    return null;
  }

  async saveState(): Promise<Refused | null> {
    return null;
  }

  /** Takes no state: reads to the end, or for a while. */
  async loadState(fd: Fd, signal: AbortSignal): Promise<Refused | null> {
    const into = new Uint8Array(4096);
    for (let waited = 0; waited < STATE_MS && !signal.aborted; ) {
      const got = readBytes(fd, into);
      if (got === 'closed')
        return this.faults.loadsAnything === true ? null : 'it is no state of this device';
      if (got === 'again') {
        await sleep(1);
        waited++;
      }
    }
    return 'the state does not end';
  }

  /** What happens at a kick. */
  kicked(ring: EchoRing): void {
    const drained = drainEvent(ring.kickNumber);
    if (!drained && this.faults.stopsOnEmptyKick === true) this.isStuck = true;
    if (ring.index % 2 === 0) return;
    const before = ring.handled;
    ring.turn();
    if (ring.handled === before) this.needlessKicks++;
    if (this.needlessKicks >= 3 && this.faults.diesOfNeedlessKicks === true) this.host.die();
  }

  tellBroken(ring: EchoRing): void {
    switch (this.faults.onViolation ?? 'tell') {
      case 'tell':
        if (ring.err >= 0) signalEvent(ring.err);
        this.host.broken();
        break;
      case 'die':
        this.host.die();
        break;
      case 'stop-all':
        this.isStuck = true;
        break;
      case 'silent':
        break;
    }
  }
}
