import {
  type BackendDevice,
  type DeviceOffer,
  type Fd,
  type InflightArea,
  type IotlbChange,
  initialBase,
  type LogArea,
  type MappedRegion,
  type MemoryChange,
  type Refused,
  type RingAreas,
  type RingBase,
  type RingSetup,
} from '../src/index.ts';

/** What the device knows of one ring that runs. */
export interface FakeRing {
  readonly setup: RingSetup;
  areas: RingAreas | null;
  enabled: boolean;
  call: Fd | null;
  err: Fd | null;
  usedLogGpa: number | null;
}

/** A device that moves nothing and remembers what it was told; checks that calls come in an order that makes sense. */
export class FakeDevice implements BackendDevice {
  readonly offer: DeviceOffer;
  /** Names of calls with their numbers, in order. */
  readonly calls: string[] = [];
  readonly running = new Map<number, FakeRing>();
  readonly enabled = new Map<number, boolean>();
  readonly callFds = new Map<number, Fd | null>();
  features = 0n;
  protocolFeatures = 0n;
  regions: readonly MappedRegion[] = [];
  log: LogArea | null = null;
  inflight: InflightArea | null = null;
  status = 0;
  translations: IotlbChange[] = [];
  configBytes = Uint8Array.from({ length: 28 }, (_, i) => i);
  /** Answer of startRing, writeConfig, rarp, mtu, setFeatures: a reason, or null. */
  refuse: Refused | null = null;
  /** Base that stopRing answers; default: where the ring started. */
  stoppedBase: RingBase | null = null;
  /** What saveState and loadState do. */
  transfer: (fd: Fd, signal: AbortSignal) => Promise<Refused | null> = async () => null;

  constructor(offer: Partial<DeviceOffer> = {}) {
    this.offer = {
      features: 0x1_3000_8000n,
      protocolFeatures: 0n,
      queuePairs: 1,
      maxQueueSize: 1024,
      memSlots: 32,
      config: () => this.configBytes.slice(),
      ...offer,
    };
  }

  async setFeatures(features: bigint): Promise<Refused | null> {
    this.calls.push(`features 0x${features.toString(16)}`);
    if (this.refuse === null) this.features = features;
    return this.refuse;
  }

  setProtocolFeatures(protocolFeatures: bigint): void {
    this.protocolFeatures = protocolFeatures;
  }

  async memoryChanged({ regions, rings }: MemoryChange): Promise<void> {
    this.calls.push(`memory ${regions.length}`);
    this.regions = regions;
    for (const { index, areas } of rings) this.#ring(index).areas = areas;
  }

  async startRing(setup: RingSetup): Promise<Refused | null> {
    if (this.running.has(setup.index)) throw new Error(`ring ${setup.index} is started twice`);
    this.calls.push(`start ${setup.index}`);
    if (this.refuse !== null) return this.refuse;
    const { areas, enabled, call, err, usedLogGpa } = setup;
    this.running.set(setup.index, { setup, areas, enabled, call, err, usedLogGpa });
    return null;
  }

  async stopRing(index: number): Promise<RingBase> {
    const { setup } = this.#ring(index);
    this.calls.push(`stop ${index}`);
    this.running.delete(index);
    return this.stoppedBase ?? setup.base ?? initialBase(setup.format);
  }

  async setEnabled(index: number, on: boolean): Promise<void> {
    this.enabled.set(index, on);
    const ring = this.running.get(index);
    if (ring !== undefined) ring.enabled = on;
  }

  async setCall(index: number, fd: Fd | null): Promise<void> {
    this.callFds.set(index, fd);
    const ring = this.running.get(index);
    if (ring !== undefined) ring.call = fd;
  }

  async setErr(index: number, fd: Fd | null): Promise<void> {
    const ring = this.running.get(index);
    if (ring !== undefined) ring.err = fd;
  }

  kick(index: number): void {
    this.calls.push(`kick ${index}`);
  }

  async setLog(log: LogArea | null): Promise<void> {
    this.calls.push(log === null ? 'no log' : `log ${log.bytes} ${log.logAll ? 'on' : 'off'}`);
    this.log = log;
  }

  async setRingLog(index: number, usedLogGpa: number | null): Promise<void> {
    this.#ring(index).usedLogGpa = usedLogGpa;
  }

  async setInflight(area: InflightArea | null): Promise<void> {
    this.inflight = area;
  }

  inflightBytesPerQueue(queueSize: number): number {
    return 16 + 16 * queueSize;
  }

  async setStatus(status: number): Promise<void> {
    this.calls.push(`status ${status}`);
    if (status === 0 && this.running.size > 0) throw new Error('reset by status while rings run');
    this.status = status;
  }

  async iotlb(change: IotlbChange): Promise<void> {
    this.translations.push(change);
    for (const { index, areas } of change.rings) this.#ring(index).areas = areas;
  }

  async reset(why: 'reset-device' | 'disconnected'): Promise<void> {
    this.calls.push(`reset ${why}`);
    if (this.running.size > 0) throw new Error('reset while rings run');
    if (why === 'disconnected' && this.regions.length > 0) throw new Error('reset while memory is mapped');
  }

  async writeConfig(offset: number, bytes: Uint8Array, migration: boolean): Promise<Refused | null> {
    this.calls.push(`config ${offset} ${bytes.length}${migration ? ' migration' : ''}`);
    if (this.refuse === null) this.configBytes.set(bytes, offset);
    return this.refuse;
  }

  async rarp(mac: Uint8Array): Promise<Refused | null> {
    this.calls.push(`rarp ${[...mac].join(':')}`);
    return this.refuse;
  }

  async mtu(bytes: number): Promise<Refused | null> {
    this.calls.push(`mtu ${bytes}`);
    return this.refuse;
  }

  saveState(fd: Fd, signal: AbortSignal): Promise<Refused | null> {
    this.calls.push('save');
    return this.transfer(fd, signal);
  }

  loadState(fd: Fd, signal: AbortSignal): Promise<Refused | null> {
    this.calls.push('load');
    return this.transfer(fd, signal);
  }

  #ring(index: number): FakeRing {
    const ring = this.running.get(index);
    if (ring === undefined) throw new Error(`ring ${index} does not run`);
    return ring;
  }
}
