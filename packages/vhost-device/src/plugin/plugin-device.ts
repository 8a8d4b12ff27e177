import type { VhostRequestInit } from '@vhostlab/backend-sdk';
import { HostError, signalEvent } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import {
  decodeBase,
  encodeBase,
  type RingAreas,
  type RingBase,
  type RingPlacement,
} from '@vhostlab/vhost-user';
import type { RegionPlace, RingStart, WorkerCommand, WorkerNote } from '../control/commands.ts';
import { resumedBase } from '../rings/resume.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import type { SharedStatistics } from '../stats/shared-statistics.ts';
import type { KickWatch } from './kick-watch.ts';
import type { VhostChannel } from './vhost-channel.ts';

const PAGE_BYTES = 4096n;

/** What a device needs of the thread around it. */
export interface PluginDeviceSurroundings {
  readonly arena: Arena;
  /** One per queue pair. */
  readonly channels: readonly VhostChannel[];
  /** Feature bits that the plugin's cores know; the others are the session's and the configuration space's. */
  readonly offered: bigint;
  readonly statistics: SharedStatistics;
  readonly kicks: KickWatch;
  note(note: WorkerNote): void;
}

/** A started ring. It is paused while its memory is gone: then it does not run in the plugin, and has a base here. */
interface HeldRing {
  readonly start: RingStart;
  areas: RingAreas | null;
  base: number;
  call: number;
  err: number;
  enabled: boolean;
  usedLogGpa: number | null;
  saidBroken: boolean;
}

/**
 * One front end's device on a plugin's thread: what the session decided becomes requests of a VMM to the plugin's cores.
 * The guest's window is the whole arena, and the VMM's addresses are offsets in it.
 */
export class PluginDevice {
  readonly number: number;
  readonly #around: PluginDeviceSurroundings;
  readonly #rings = new Map<number, HeldRing>();

  constructor(number: number, around: PluginDeviceSurroundings) {
    this.number = number;
    this.#around = around;
  }

  /** Rings that are started, paused ones too. */
  get ringCount(): number {
    return this.#rings.size;
  }

  handle(command: WorkerCommand): unknown {
    switch (command.do) {
      case 'features':
        return this.#negotiate(command.features);
      case 'memory':
        return this.#setMemory(command.regions, command.rings);
      case 'start':
        return this.#start(command.ring);
      case 'stop':
        return this.#stop(command.index);
      case 'enable':
        return this.#enable(command.index, command.on);
      case 'call':
        return this.#change(command.index, (ring) => {
          ring.call = command.fd;
        });
      case 'err':
        return this.#change(command.index, (ring) => {
          ring.err = command.fd;
        });
      case 'kick':
        return this.#channel(command.index).kick(command.index & 1);
      case 'log':
        return this.#setLog(command.log);
      case 'ring-log':
        return this.#change(command.index, (ring) => {
          ring.usedLogGpa = command.usedLogGpa;
          this.#logUsed(ring);
        });
      case 'reset':
        for (const index of [...this.#rings.keys()]) this.#stop(index);
        return undefined;
      case 'inflight':
        if (command.area === null) return undefined;
        break;
      case 'iotlb':
      case 'rarp':
    }
    throw new Error(`a plugin does not offer what ${command.do} needs`);
  }

  /** The plugin calls the guest for ring `index`. @hot */
  call(index: number): void {
    const ring = this.#rings.get(index);
    if (ring !== undefined && ring.call >= 0) signalEvent(ring.call);
  }

  /** Writes down what went through each ring, and tells of rings that broke. */
  report(): void {
    for (const ring of this.#rings.values()) this.#report(ring);
  }

  #report(ring: HeldRing): void {
    const { index } = ring.start;
    const { answer } = this.#channel(index).tell({ case: 'getVringState', value: { index } });
    if (answer.case !== 'vringState') throw new Error(`the state of ring ${index} is a ${answer.case}`);
    const { frames, bytes, calls, callsSuppressed, base, violation, running } = answer.value;
    const counters = this.#around.statistics.counters(this.number, index);
    counters[COUNTER.frames] = Number(frames);
    counters[COUNTER.bytes] = Number(bytes);
    counters[COUNTER.calls] = Number(calls);
    counters[COUNTER.calls_suppressed] = Number(callsSuppressed);
    if (running) this.#countPosition(ring, base, counters);
    if (violation === '' || ring.saidBroken) return;
    ring.saidBroken = true;
    counters[COUNTER.violations]++;
    if (ring.err >= 0) signalEvent(ring.err);
    this.#around.note({ note: 'violation', device: this.number, index, reason: violation });
  }

  #countPosition({ start }: HeldRing, base: number, counters: Float64Array): void {
    const packed = start.format === 'packed';
    counters[COUNTER.next_available] = packed ? base & 0x7fff : base;
    counters[COUNTER.next_used] = packed ? (base >>> 16) & 0x7fff : base;
  }

  #channel(index: number): VhostChannel {
    const channel = this.#around.channels[index >> 1];
    if (channel === undefined) throw new Error(`ring ${index} does not belong to this thread`);
    return channel;
  }

  #tellAll(request: (channel: VhostChannel) => VhostRequestInit): void {
    for (const channel of this.#around.channels) channel.tell(request(channel));
  }

  #negotiate(features: bigint): void {
    const bits = features & this.#around.offered;
    this.#tellAll(() => ({ case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } }));
  }

  /** Rings whose place changes stand still meanwhile, and go on at their new place. */
  #setMemory(regions: readonly RegionPlace[], placements: readonly RingPlacement[]): void {
    const moved = placements.filter(({ index, areas }) => !isSame(this.#rings.get(index)?.areas, areas));
    for (const { index } of moved) this.#pause(index);
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
    for (const { index, areas } of moved) {
      const ring = this.#rings.get(index);
      if (ring === undefined || areas === null) continue;
      ring.areas = areas;
      const refused = this.#run(ring);
      if (refused !== null) throw new Error(`ring ${index} cannot be moved: ${refused}`);
    }
  }

  #start(start: RingStart): string | null {
    const { index, areas, call, err, enabled, usedLogGpa, kick } = start;
    const base = encodeBase(resumedBase(start, this.#around.arena));
    const position = { areas, base, call, err, enabled, usedLogGpa, saidBroken: false };
    const ring: HeldRing = { start, ...position };
    const refused = this.#run(ring);
    if (refused !== null) return refused;
    this.#rings.set(index, ring);
    const { kicks, statistics } = this.#around;
    try {
      kicks.watch(kick, this.#channel(index), index & 1, statistics.counters(this.number, index));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#stop(index);
      return `its kick descriptor cannot be waited for: ${error.message}`;
    }
    return null;
  }

  /** Starts a ring in the plugin, at its base. */
  #run(ring: HeldRing): string | null {
    const { start, areas, base, enabled } = ring;
    if (areas === null) return 'its memory is gone';
    const { index, size } = start;
    const channel = this.#channel(index);
    channel.tell({ case: 'setVringEnable', value: { index, enable: enabled } });
    const vector = index & 1;
    const reply = channel.ask({
      case: 'setVring',
      value: {
        index,
        num: size,
        descriptorAddr: BigInt(areas.descriptor),
        driverAddr: BigInt(areas.driver),
        deviceAddr: BigInt(areas.device),
        base,
        kick: start.kick >= 0,
        call: ring.call >= 0,
        kickVector: vector,
        callVector: vector,
        enable: true,
      },
    });
    if (reply.error !== 0) return reply.reason;
    this.#logUsed(ring);
    return null;
  }

  #stop(index: number): RingBase {
    const ring = this.#rings.get(index);
    if (ring === undefined) throw new Error(`ring ${index} is stopped but was not started`);
    this.#report(ring);
    this.#pause(index);
    this.#around.kicks.unwatch(ring.start.kick, this.#channel(index), index & 1);
    this.#rings.delete(index);
    const base = decodeBase(ring.start.format, ring.base);
    if (base === null) throw new Error(`ring ${index} stopped at ${ring.base}`);
    return base;
  }

  /** Takes a ring out of the plugin; its base stays here. Nothing when it is out already. */
  #pause(index: number): void {
    const ring = this.#rings.get(index);
    if (ring === undefined || ring.areas === null) return;
    const { answer } = this.#channel(index).tell({ case: 'getVringBase', value: { index } });
    if (answer.case !== 'vringBase') throw new Error(`the base of ring ${index} is a ${answer.case}`);
    ring.base = answer.value.base;
    ring.areas = null;
    // used entries may be published whose call was still to come: one too many costs nothing, one too few a hang
    if (ring.call >= 0) signalEvent(ring.call);
  }

  #enable(index: number, on: boolean): void {
    this.#channel(index).tell({ case: 'setVringEnable', value: { index, enable: on } });
    this.#change(index, (ring) => {
      ring.enabled = on;
      if (ring.call >= 0) signalEvent(ring.call);
    });
  }

  #change(index: number, change: (ring: HeldRing) => void): void {
    const ring = this.#rings.get(index);
    if (ring !== undefined) change(ring);
  }

  #setLog(log: { arenaOffset: number; bytes: number; logAll: boolean } | null): void {
    this.#tellAll(({ window }) => ({
      case: 'setLog',
      value:
        log === null || !log.logAll
          ? { enable: false }
          : { enable: true, window, windowOffset: BigInt(log.arenaOffset), sizeBytes: BigInt(log.bytes) },
    }));
  }

  #logUsed({ start, usedLogGpa }: HeldRing): void {
    const { index } = start;
    const value = { index, enable: usedLogGpa !== null, guestAddr: BigInt(usedLogGpa ?? 0) };
    this.#channel(index).tell({ case: 'setVringLog', value });
  }
}

function isSame(now: RingAreas | null | undefined, then: RingAreas | null): boolean {
  if (now === undefined || now === null || then === null) return now === then;
  return now.descriptor === then.descriptor && now.driver === then.driver && now.device === then.device;
}
