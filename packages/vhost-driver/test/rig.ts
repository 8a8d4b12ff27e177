import { closeAll, eventFd, type Fd } from '@vhostlab/host';
import type { AddressSpace } from '@vhostlab/memory';
import { GuestMemory } from '../src/memory/guest-memory.ts';
import { planPairs } from '../src/memory/queue-memory.ts';
import { type FrontendOptions, type Settings, settingsOf } from '../src/options.ts';
import { counterMemory, type QueueCounters, readCounters } from '../src/worker/counters.ts';
import { PairRunner } from '../src/worker/pair-runner.ts';
import type { Agreement, PairPlan, WorkerPlan } from '../src/worker/plan.ts';
import { scratchBytes } from '../src/worker-pool.ts';
import { FakeRing, spaceOf } from './fake-device.ts';

export const MIB = 2 ** 20;

export type RigOptions = Omit<FrontendOptions, 'socketPath'> & { readonly longestFrame?: number };

/** Memory, plans and the device's end of a front end, without sockets and threads. */
export class GuestRig {
  readonly settings: Settings;
  readonly memory: GuestMemory;
  readonly pairs: PairPlan[];
  readonly agreement: Agreement;
  readonly plan: WorkerPlan;
  /** Rings of the device, by index. */
  rings: FakeRing[] = [];
  readonly #space: AddressSpace;
  readonly #fds: Fd[] = [];

  constructor(options: RigOptions) {
    this.settings = settingsOf({ socketPath: 'none', memoryBytes: 16 * MIB, queueSize: 64, ...options });
    const { settings } = this;
    const scratch = scratchBytes(settings) * settings.workers;
    this.memory = GuestMemory.create({
      bytes: settings.memoryBytes,
      regions: settings.regions,
      hugePages: 'none',
      scratchBytes: scratch,
      warn: () => undefined,
    });
    this.pairs = planPairs(this.memory, settings, options.longestFrame ?? 1514);
    this.#space = spaceOf(this.memory);
    const { inOrder, mrgRxbuf, indirect, eventIdx, csum, tso } = settings.features;
    this.agreement = {
      ring: { inOrder, indirect, eventIdx },
      headerBytes: 12,
      mergeable: mrgRxbuf,
      csum,
      guestCsum: csum,
      tso,
    };
    this.plan = {
      arenaAddress: this.memory.mapped.address,
      arenaBytes: this.memory.mapped.sizeBytes,
      cpu: undefined,
      wait: settings.wait,
      burst: settings.burst,
      txLayout: settings.txLayout,
      workload: settings.workload,
      scratchOffset: this.memory.allocScratch(scratch),
      scratchBytes: scratch,
      counters: counterMemory(2 * settings.queues),
      pairs: this.pairs,
      pairCount: settings.queues,
      captureNumber: -1,
    };
  }

  /** Makes the device's rings, at `bases` or at the start. */
  makeRings(bases: readonly number[] = []): FakeRing[] {
    const plans = this.pairs.flatMap(({ rx, tx }) => [rx, tx]);
    const start = this.settings.ring === 'packed' ? 0x80008000 : 0;
    this.rings = plans.map((plan) => {
      const [kick, call] = [eventFd(), eventFd()];
      this.#fds.push(kick, call);
      const base = bases[plan.index] ?? start;
      return new FakeRing(this.memory.arena, this.#space, plan, this.agreement.ring, base, kick, call);
    });
    return this.rings;
  }

  counters(queue: number): QueueCounters {
    return readCounters(this.plan.counters, queue);
  }

  close(): void {
    closeAll(this.#fds);
    this.memory.close();
  }
}

/** Queue pairs that turn in this thread, one step of the driver, one of the device. */
export class LocalRig extends GuestRig {
  readonly runners: PairRunner[];

  constructor(options: RigOptions) {
    super(options);
    let next = this.plan.scratchOffset;
    const scratch = (bytes: number): number => {
      const at = next;
      next += Math.ceil(bytes / 64) * 64;
      return at;
    };
    this.runners = this.pairs.map(
      (pair) => new PairRunner(this.memory.arena, this.plan, pair, this.agreement, scratch),
    );
    this.attach();
  }

  /** Gives the driver a device whose rings begin at `bases`. */
  attach(bases: readonly number[] = []): void {
    for (const [index, { kick, call }] of this.makeRings(bases).entries()) {
      this.runners[index >> 1].attach(index, kick, call);
    }
  }

  /** Turns of driver and device until neither does anything. */
  settle(device: () => void = () => undefined): void {
    for (let idle = 0; idle < 3; ) {
      let worked = false;
      for (const { app } of this.runners) if (app.turn()) worked = true;
      device();
      idle = worked ? 0 : idle + 1;
    }
  }

  /** The device dies: the driver takes what is used, and gets its rings ready for another one, which is attached. */
  restart(): { index: number; base: number; replayed: number; reset: boolean }[] {
    for (const runner of this.runners) runner.detach();
    const restarts = this.runners.flatMap((runner) => runner.rewind(this.agreement));
    this.attach(restarts.map(({ base }) => base));
    return restarts;
  }
}
