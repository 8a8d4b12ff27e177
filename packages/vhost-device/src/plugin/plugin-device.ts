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
import type { Vmm } from './vmm.ts';

/** What a device needs of the thread around it. */
export interface PluginDeviceSurroundings {
  readonly arena: Arena;
  readonly vmm: Vmm;
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

/** One front end's device on a plugin's thread: what the session decided becomes what a VMM does to the plugin's cores. */
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
        return this.#around.vmm.negotiate(command.features);
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
        return this.#around.vmm.kick(command.index);
      case 'log':
        return this.#around.vmm.log(command.log?.logAll === true ? command.log : null);
      case 'ring-log':
        return this.#change(command.index, (ring) => {
          ring.usedLogGpa = command.usedLogGpa;
          if (ring.areas !== null) this.#around.vmm.logUsed(command.index, ring.usedLogGpa);
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
    const { frames, bytes, calls, callsSuppressed, base, violation, running } =
      this.#around.vmm.report(index);
    const counters = this.#around.statistics.counters(this.number, index);
    counters[COUNTER.frames] = frames;
    counters[COUNTER.bytes] = bytes;
    counters[COUNTER.calls] = calls;
    counters[COUNTER.calls_suppressed] = callsSuppressed;
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

  /** Rings whose place changes stand still meanwhile, and go on at their new place. */
  #setMemory(regions: readonly RegionPlace[], placements: readonly RingPlacement[]): void {
    const moved = placements.filter(({ index, areas }) => !isSame(this.#rings.get(index)?.areas, areas));
    for (const { index } of moved) this.#pause(index);
    this.#around.vmm.setRegions(regions);
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
      kicks.watch(kick, this.#around.vmm, index, statistics.counters(this.number, index));
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
    const { vmm } = this.#around;
    const eventfds = { kick: start.kick >= 0, call: ring.call >= 0 };
    const refused = vmm.run({ index, size, areas, base, enabled, ...eventfds });
    if (refused === null) vmm.logUsed(index, ring.usedLogGpa);
    return refused;
  }

  #stop(index: number): RingBase {
    const ring = this.#rings.get(index);
    if (ring === undefined) throw new Error(`ring ${index} is stopped but was not started`);
    this.#report(ring);
    this.#pause(index);
    this.#around.kicks.unwatch(this.#around.vmm, index);
    this.#rings.delete(index);
    const base = decodeBase(ring.start.format, ring.base);
    if (base === null) throw new Error(`ring ${index} stopped at ${ring.base}`);
    return base;
  }

  /** Takes a ring out of the plugin; its base stays here. Nothing when it is out already. */
  #pause(index: number): void {
    const ring = this.#rings.get(index);
    if (ring === undefined || ring.areas === null) return;
    ring.base = this.#around.vmm.stop(index);
    ring.areas = null;
    // used entries may be published whose call was still to come: one too many costs nothing, one too few a hang
    if (ring.call >= 0) signalEvent(ring.call);
  }

  #enable(index: number, on: boolean): void {
    this.#around.vmm.enable(index, on);
    this.#change(index, (ring) => {
      ring.enabled = on;
      if (ring.call >= 0) signalEvent(ring.call);
    });
  }

  #change(index: number, change: (ring: HeldRing) => void): void {
    const ring = this.#rings.get(index);
    if (ring !== undefined) change(ring);
  }
}

function isSame(now: RingAreas | null | undefined, then: RingAreas | null): boolean {
  if (now === undefined || now === null || then === null) return now === then;
  return now.descriptor === then.descriptor && now.driver === then.driver && now.device === then.device;
}
