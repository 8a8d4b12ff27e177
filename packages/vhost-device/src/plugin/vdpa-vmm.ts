import type { VhostReply, VhostRequestInit } from '@vhostlab/backend-sdk';
import { ACCESS_BOTH } from '@vhostlab/backend-sdk';
import type { RingAreas } from '@vhostlab/vhost-user';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
} from '@vhostlab/virtio-net';
import type { RegionPlace } from '../control/commands.ts';
import type { VhostChannel } from './vhost-channel.ts';
import type { LogPlace, RingReport, RingRun, Vmm } from './vmm.ts';

const DRIVER = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
const READY = DRIVER | STATUS_FEATURES_OK;
const LIVE = READY | STATUS_DRIVER_OK;

/**
 * A VMM towards a vDPA device, as QEMU is one: status byte by byte, memory as DMA mappings, rings by their guest-physical
 * addresses. The device reads ahead, so it is suspended while memory or rings change. It has no state for rings that are
 * disabled: they do not run.
 */
export class VdpaVmm implements Vmm {
  readonly #channel: VhostChannel;
  readonly #kicks: readonly VhostChannel[];
  readonly #offered: bigint;
  #features = 0n;
  #regions: readonly RegionPlace[] = [];
  readonly #rings = new Map<number, RingRun>();
  /** Rings that the device works on. */
  readonly #running = new Set<number>();
  #isLive = false;
  /** Why no ring can run: what the front end negotiated or mapped does not suit the device. */
  #problem: string | null = 'the front end has negotiated no features';

  /** `channels`: one per queue pair; requests go to the first, which stands for the device. */
  constructor(channels: readonly VhostChannel[], offered: bigint) {
    this.#channel = channels[0] as VhostChannel;
    this.#kicks = channels;
    this.#offered = offered;
    this.#channel.tell({ case: 'setOwner', value: {} });
  }

  negotiate(features: bigint): void {
    const bits = features & this.#offered;
    // told again, while rings run, for a feature that is the session's
    if (this.#running.size > 0 && bits === this.#features) return;
    this.#features = bits;
    this.#isLive = false;
    this.#tell({ case: 'setStatus', value: { status: 0 } });
    this.#tell({ case: 'setStatus', value: { status: DRIVER } });
    this.#problem =
      this.#refusal({ case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } }) ??
      this.#refusal({ case: 'setStatus', value: { status: READY } });
  }

  setRegions(regions: readonly RegionPlace[]): void {
    this.#suspended(() => {
      for (const { gpa, bytes } of this.#regions) {
        this.#tell({ case: 'dmaUnmap', value: { iova: BigInt(gpa), sizeBytes: BigInt(bytes) } });
      }
      this.#regions = regions.filter((region) => this.#isMapped(region));
    });
  }

  run(ring: RingRun): string | null {
    if (this.#problem !== null) return this.#problem;
    this.#rings.set(ring.index, ring);
    if (!ring.enabled) return null;
    const refused = this.#start(ring);
    if (refused !== null) this.#rings.delete(ring.index);
    return refused;
  }

  stop(index: number): number {
    const ring = this.#rings.get(index);
    if (ring === undefined) throw new Error(`ring ${index} is stopped but was not started`);
    this.#rings.delete(index);
    return this.#halt(index) ?? ring.base;
  }

  enable(index: number, on: boolean): void {
    const ring = this.#rings.get(index);
    if (ring === undefined) return;
    if (on && !this.#running.has(index)) {
      const refused = this.#start(ring);
      if (refused !== null) throw new Error(`ring ${index} cannot be enabled: ${refused}`);
    }
    const base = on ? undefined : this.#halt(index);
    this.#rings.set(index, { ...ring, base: base ?? ring.base, enabled: on });
  }

  log(place: LogPlace | null): void {
    if (place !== null) throw new Error('a vDPA device writes by DMA and keeps no dirty log');
  }

  logUsed(): void {
    // nothing is logged
  }

  report(index: number): RingReport {
    return this.#channel.report(index);
  }

  kick(index: number): void {
    this.#kicks[index >> 1]?.kick(index & 1);
  }

  #start({ index, size, areas, base, kick }: RingRun): string | null {
    const addresses = this.#addresses(areas);
    if (addresses === null) return 'its memory is not mapped for DMA';
    const vector = index & 1;
    const value = {
      index,
      num: size,
      ...addresses,
      base,
      kick,
      call: true,
      kickVector: vector,
      callVector: vector,
      enable: true,
    };
    const refused = this.#suspended(() => this.#refusal({ case: 'setVring', value }));
    if (refused !== null) return refused;
    this.#running.add(index);
    if (this.#isLive) return null;
    this.#isLive = true;
    return this.#refusal({ case: 'setStatus', value: { status: LIVE } });
  }

  /** Stops a ring in the device; where it stands, undefined when it does not run. */
  #halt(index: number): number | undefined {
    return this.#running.delete(index) ? this.#channel.base(index) : undefined;
  }

  /** Does something while a live device stands still. */
  #suspended<T>(change: () => T): T {
    if (!this.#isLive) return change();
    this.#tell({ case: 'suspend', value: {} });
    const result = change();
    this.#tell({ case: 'resume', value: {} });
    return result;
  }

  #isMapped({ gpa, bytes, arenaOffset }: RegionPlace): boolean {
    const refused = this.#refusal({
      case: 'dmaMap',
      value: {
        iova: BigInt(gpa),
        sizeBytes: BigInt(bytes),
        userAddr: BigInt(arenaOffset),
        access: ACCESS_BOTH,
        window: this.#channel.window,
        windowOffset: BigInt(arenaOffset),
        pageBytes: 0n,
      },
    });
    return refused === null;
  }

  /** Guest-physical addresses of a ring's areas. */
  #addresses({ descriptor, driver, device }: RingAreas): Record<`${keyof RingAreas}Addr`, bigint> | null {
    const [descriptorAddr, driverAddr, deviceAddr] = [descriptor, driver, device].map((offset) => {
      const region = this.#regions.find(
        ({ arenaOffset, bytes }) => offset >= arenaOffset && offset < arenaOffset + bytes,
      );
      return region === undefined ? undefined : BigInt(region.gpa + offset - region.arenaOffset);
    });
    if (descriptorAddr === undefined || driverAddr === undefined || deviceAddr === undefined) return null;
    return { descriptorAddr, driverAddr, deviceAddr };
  }

  /** Asks; null, or why it was refused. */
  #refusal(request: VhostRequestInit): string | null {
    const reply = this.#channel.ask(request);
    return reply.error === 0 ? null : reply.reason;
  }

  #tell(request: VhostRequestInit): VhostReply {
    return this.#channel.tell(request);
  }
}
