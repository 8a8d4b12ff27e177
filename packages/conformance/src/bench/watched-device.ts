import type {
  BackendDevice,
  DeviceOffer,
  MemoryChange,
  Refused,
  RingBase,
  RingSetup,
} from '@vhostlab/vhost-user';

/**
 * The device of a front end under test: it accepts everything, touches no ring by itself, and remembers the rings that
 * were started, which a check then writes as it likes.
 */
export class WatchedDevice implements BackendDevice {
  readonly offer: DeviceOffer;
  /** Rings that run, by index. */
  readonly rings = new Map<number, RingSetup>();
  features = 0n;
  protocolFeatures = 0n;
  status = 0;
  readonly #usedIdx: (ring: RingSetup) => RingBase;

  /** `baseOf`: where a ring stands when it is stopped. */
  constructor(offer: DeviceOffer, baseOf: (ring: RingSetup) => RingBase) {
    this.offer = offer;
    this.#usedIdx = baseOf;
  }

  async setFeatures(features: bigint): Promise<Refused | null> {
    this.features = features;
    return null;
  }

  setProtocolFeatures(protocolFeatures: bigint): void {
    this.protocolFeatures = protocolFeatures;
  }

  async memoryChanged(change: MemoryChange): Promise<void> {
    for (const { index, areas } of change.rings) {
      const ring = this.rings.get(index);
      if (ring === undefined) continue;
      if (areas === null) this.rings.delete(index);
      else this.rings.set(index, { ...ring, areas });
    }
  }

  async startRing(ring: RingSetup): Promise<Refused | null> {
    this.rings.set(ring.index, ring);
    return null;
  }

  async stopRing(index: number): Promise<RingBase> {
    const ring = this.rings.get(index);
    this.rings.delete(index);
    if (ring === undefined) throw new Error(`ring ${index} is stopped and does not run`);
    return this.#usedIdx(ring);
  }

  async setEnabled(index: number, on: boolean): Promise<void> {
    const ring = this.rings.get(index);
    if (ring !== undefined) this.rings.set(index, { ...ring, enabled: on });
  }

  async setCall(index: number, call: RingSetup['call']): Promise<void> {
    const ring = this.rings.get(index);
    if (ring !== undefined) this.rings.set(index, { ...ring, call });
  }

  async setErr(): Promise<void> {}

  kick(): void {}

  async setLog(): Promise<void> {}

  async setRingLog(): Promise<void> {}

  async setInflight(): Promise<void> {}

  inflightBytesPerQueue(queueSize: number): number {
    return 64 + 32 * queueSize;
  }

  async setStatus(status: number): Promise<void> {
    this.status = status;
  }

  async iotlb(): Promise<void> {}

  async reset(): Promise<void> {
    this.rings.clear();
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
    return 'there is no state';
  }

  async loadState(): Promise<Refused | null> {
    return 'there is no state';
  }
}
