import { setNonBlocking } from '@vhostlab/host';
import type {
  BackendDevice,
  DeviceOffer,
  Fd,
  InflightArea,
  IotlbChange,
  LogArea,
  MemoryChange,
  Refused,
  RingBase,
  RingSetup,
} from '@vhostlab/vhost-user';
import type { WorkerCommand } from './commands.ts';
import type { DeviceConfigSpace } from './config-space.ts';
import { readDeviceState, writeDeviceState } from './device-state.ts';
import { inflightQueueBytes } from './inflight-size.ts';
import type { WorkerPool } from './worker-pool.ts';

/**
 * The number of a ring's eventfd for workers, -1 for none. A front end may send one whose readers and writers wait: a
 * worker that did would stop every ring it has.
 */
function ready(fd: Fd | null): number {
  if (fd === null) return -1;
  setNonBlocking(fd);
  return fd.number;
}

/** A command without the device, which `RealDevice` puts in. */
type Order = WorkerCommand extends infer C ? (C extends unknown ? Omit<C, 'device'> : never) : never;

/**
 * One vhost-user device of this process: hands what the session decides to the workers that own its rings. Queue pair p
 * belongs to worker p modulo the number of workers; memory, features and logs go to all of them.
 */
export class RealDevice implements BackendDevice {
  readonly offer: DeviceOffer;
  readonly number: number;
  readonly #pool: WorkerPool;
  readonly #config: DeviceConfigSpace;
  #features = 0n;
  #isPacked = false;
  /** Status byte as the front end wrote it, for people. */
  status = 0;
  /** Frames may be announced from this address (SEND_RARP); what a port does with it is its business. */
  mtuBytes: number | undefined;

  constructor(number: number, offer: DeviceOffer, config: DeviceConfigSpace, pool: WorkerPool) {
    this.number = number;
    this.offer = offer;
    this.#config = config;
    this.#pool = pool;
  }

  get features(): bigint {
    return this.#features;
  }

  async setFeatures(features: bigint): Promise<Refused | null> {
    this.#features = features;
    this.#isPacked = ((features >> 34n) & 1n) === 1n;
    await this.#all({ do: 'features', features });
    return null;
  }

  setProtocolFeatures(): void {
    // nothing of the device depends on them: the session acts on each
  }

  async memoryChanged(change: MemoryChange): Promise<void> {
    const regions = change.regions.map(({ gpa, bytes, mapping }) => ({
      gpa,
      bytes,
      arenaOffset: mapping.arenaOffset,
    }));
    await this.#all({ do: 'memory', regions, rings: change.rings });
  }

  async startRing(ring: RingSetup): Promise<Refused | null> {
    const { index, size, format, areas, base, enabled, kick, call, err, usedLogGpa } = ring;
    const fds = { kick: ready(kick), call: ready(call), err: ready(err) };
    const start = { index, size, format, areas, base, enabled, ...fds, usedLogGpa };
    return (await this.#one(index, { do: 'start', ring: start })) as Refused | null;
  }

  async stopRing(index: number): Promise<RingBase> {
    return (await this.#one(index, { do: 'stop', index })) as RingBase;
  }

  async setEnabled(index: number, on: boolean): Promise<void> {
    await this.#one(index, { do: 'enable', index, on });
  }

  async setCall(index: number, fd: Fd | null): Promise<void> {
    await this.#one(index, { do: 'call', index, fd: ready(fd) });
  }

  async setErr(index: number, fd: Fd | null): Promise<void> {
    await this.#one(index, { do: 'err', index, fd: ready(fd) });
  }

  kick(index: number): void {
    void this.#one(index, { do: 'kick', index });
  }

  async setLog(log: LogArea | null): Promise<void> {
    await this.#all({ do: 'log', log });
  }

  async setRingLog(index: number, usedLogGpa: number | null): Promise<void> {
    await this.#one(index, { do: 'ring-log', index, usedLogGpa });
  }

  async setInflight(area: InflightArea | null): Promise<void> {
    await this.#all({ do: 'inflight', area });
  }

  inflightBytesPerQueue(queueSize: number): number {
    return inflightQueueBytes(queueSize, this.#isPacked);
  }

  setStatus(status: number): Promise<void> {
    this.status = status;
    return Promise.resolve();
  }

  async iotlb(change: IotlbChange): Promise<void> {
    await this.#all({ do: 'iotlb', ...change });
  }

  async reset(why: 'reset-device' | 'disconnected'): Promise<void> {
    this.status = 0;
    if (why === 'disconnected') this.#features = 0n;
    await this.#all({ do: 'reset' });
  }

  writeConfig(offset: number, bytes: Uint8Array, migration: boolean): Promise<Refused | null> {
    return Promise.resolve(this.#config.write(offset, bytes, migration));
  }

  async rarp(mac: Uint8Array): Promise<Refused | null> {
    await this.#one(0, { do: 'rarp', mac });
    return null;
  }

  mtu(bytes: number): Promise<Refused | null> {
    this.mtuBytes = bytes;
    return Promise.resolve(this.#config.setMtu(bytes));
  }

  saveState(fd: Fd, signal: AbortSignal): Promise<Refused | null> {
    return writeDeviceState(fd, this.#config.bytes(), signal);
  }

  async loadState(fd: Fd, signal: AbortSignal): Promise<Refused | null> {
    const state = await readDeviceState(fd, signal);
    return typeof state === 'string' ? state : this.#config.restore(state);
  }

  #one(index: number, order: Order): Promise<unknown> {
    return this.#pool.call(index >> 1, { ...order, device: this.number } as WorkerCommand);
  }

  async #all(order: Order): Promise<void> {
    await this.#pool.callAll({ ...order, device: this.number } as WorkerCommand);
  }
}
