import type { VhostRequestInit } from '@vhostlab/backend-sdk';
import type { RegionPlace } from '../control/commands.ts';
import type { VhostChannel } from './vhost-channel.ts';
import type { LogPlace, RingReport, RingRun, Vmm } from './vmm.ts';

const PAGE_BYTES = 4096n;

/**
 * A VMM towards a vhost back end: each queue pair has a control channel of its own. The guest's window is the whole arena,
 * and the VMM's addresses are offsets in it.
 */
export class VhostVmm implements Vmm {
  readonly #channels: readonly VhostChannel[];
  readonly #offered: bigint;

  /** `offered`: feature bits that the back end knows; the others are the session's and the configuration space's. */
  constructor(channels: readonly VhostChannel[], offered: bigint) {
    this.#channels = channels;
    this.#offered = offered;
  }

  negotiate(features: bigint): void {
    const bits = features & this.#offered;
    this.#tellAll(() => ({ case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } }));
  }

  setRegions(regions: readonly RegionPlace[]): void {
    this.#tellAll(({ window }) => ({
      case: 'setMemTable',
      value: {
        regions: regions.map(({ gpa, bytes, arenaOffset }) => ({
          guestPhysAddr: BigInt(gpa),
          sizeBytes: BigInt(bytes),
          userAddr: BigInt(arenaOffset),
          window,
          windowOffset: BigInt(arenaOffset),
          pageBytes: PAGE_BYTES,
        })),
      },
    }));
  }

  run({ index, size, areas, base, enabled, kick, call }: RingRun): string | null {
    this.enable(index, enabled);
    const vector = index & 1;
    const reply = this.#channel(index).ask({
      case: 'setVring',
      value: {
        index,
        num: size,
        descriptorAddr: BigInt(areas.descriptor),
        driverAddr: BigInt(areas.driver),
        deviceAddr: BigInt(areas.device),
        base,
        kick,
        call,
        kickVector: vector,
        callVector: vector,
        enable: true,
      },
    });
    return reply.error === 0 ? null : reply.reason;
  }

  stop(index: number): number {
    return this.#channel(index).base(index);
  }

  enable(index: number, on: boolean): void {
    this.#channel(index).tell({ case: 'setVringEnable', value: { index, enable: on } });
  }

  log(place: LogPlace | null): void {
    this.#tellAll(({ window }) => ({
      case: 'setLog',
      value:
        place === null
          ? { enable: false }
          : {
              enable: true,
              window,
              windowOffset: BigInt(place.arenaOffset),
              sizeBytes: BigInt(place.bytes),
            },
    }));
  }

  logUsed(index: number, gpa: number | null): void {
    const value = { index, enable: gpa !== null, guestAddr: BigInt(gpa ?? 0) };
    this.#channel(index).tell({ case: 'setVringLog', value });
  }

  report(index: number): RingReport {
    return this.#channel(index).report(index);
  }

  kick(index: number): void {
    this.#channel(index).kick(index & 1);
  }

  #channel(index: number): VhostChannel {
    const channel = this.#channels[index >> 1];
    if (channel === undefined) throw new Error(`ring ${index} does not belong to this thread`);
    return channel;
  }

  #tellAll(request: (channel: VhostChannel) => VhostRequestInit): void {
    for (const channel of this.#channels) channel.tell(request(channel));
  }
}
