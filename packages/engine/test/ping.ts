import { createArena } from '@vhostlab/memory';
import {
  BARRIER,
  type CompiledProfile,
  type CoreContext,
  type CoreModule,
  type CorePlan,
  DONE,
  emptyFrameMeta,
  IDLE,
  type ModuleRegistry,
  OPS,
  type RunPlan,
  type Task,
  type TaskResult,
  TimeBounds,
  VirtualRuntime,
} from '../src/index.ts';

/** Costs for tests: every operation 10 ns and 1 ps per byte. */
export const testProfile: CompiledProfile = {
  name: 'test',
  fixedPs: new Float64Array(OPS.length).fill(10_000),
  perBytePs: new Float64Array(OPS.length).fill(1),
  constants: new Map([['test.answer', 42]]),
};

/** A ring of 16-byte slots: word 0 producer index, word 64 consumer index, word 128 "wake me" flag. */
const SLOTS = 8;

class Producer implements Task {
  readonly name = 'produce';
  readonly #context: CoreContext;
  readonly #base: number;
  readonly #total: number;
  #sent = 0;
  #checking = false;

  constructor(context: CoreContext, config: { total: number }) {
    this.#context = context;
    this.#base = context.window('guest');
    this.#total = config.total;
  }

  run(): TaskResult {
    const { arena, meter } = this.#context;
    const end = this.#context.memory('ring');
    if (this.#checking) {
      this.#checking = false;
      if (arena.u16[(this.#base + 128) >> 1] === 1) end.notify(3);
      return DONE;
    }
    const consumed = arena.u16[(this.#base + 64) >> 1];
    meter.charge(this.#context.op('guest.poll_empty'), 1, 0);
    if (this.#sent === this.#total) return IDLE;
    let n = 0;
    while (this.#sent < this.#total && ((this.#sent - consumed) & 0xffff) < SLOTS && n < 3) {
      const slot = this.#base + 256 + (this.#sent % SLOTS) * 16;
      arena.u32[slot >> 2] = this.#sent * 7;
      end.publisher.cover(slot, 16);
      end.setTag(0, this.#sent % SLOTS, this.#sent, this.#context.now());
      this.#sent++;
      n++;
    }
    if (n === 0) return IDLE;
    meter.charge(this.#context.op('guest.vring_add'), n, n * 16);
    end.publisher.u16(this.#base, this.#sent & 0xffff);
    this.#checking = true;
    return BARRIER;
  }
}

class Consumer implements Task {
  readonly name = 'consume';
  readonly #context: CoreContext;
  readonly #base: number;
  readonly #meta = emptyFrameMeta();
  #taken = 0;
  #asleep = false;
  sum = 0;

  constructor(context: CoreContext) {
    this.#context = context;
    this.#base = context.window('guest');
    context.onCollect('sum', () => this.sum);
  }

  run(): TaskResult {
    const { arena, meter, recorder } = this.#context;
    const end = this.#context.memory('ring');
    end.takeNotified();
    const sent = arena.u16[this.#base >> 1];
    if (sent === this.#taken) {
      if (this.#asleep) return IDLE;
      end.publisher.u16(this.#base + 128, 1);
      this.#asleep = true;
      return BARRIER;
    }
    let n = 0;
    const link = this.#context.link('wire');
    while (this.#taken !== sent) {
      const slot = this.#taken % SLOTS;
      const value = arena.u32[(this.#base + 256 + slot * 16) >> 2];
      this.sum = (this.sum * 31 + value + end.tagPacket(0, slot)) % 1_000_003;
      this.#meta.packet = end.tagPacket(0, slot);
      this.#meta.bornPs = end.tagBornPs(0, slot);
      if (!link.send(this.#base + 256 + slot * 16, 4, this.#meta, this.#context.now())) break;
      recorder.event(this.#context.stage('vhost.copy'), this.#meta.packet, value, 4);
      this.#taken++;
      n++;
    }
    if (n === 0) return IDLE;
    meter.charge(this.#context.op('vhost.copy'), n, n * 4);
    this.#asleep = false;
    end.publisher.u16(this.#base + 128, 0);
    end.publisher.u16(this.#base + 64, this.#taken & 0xffff);
    return DONE;
  }
}

class Sink implements Task {
  readonly name = 'sink';
  readonly #context: CoreContext;
  received: number[] = [];

  constructor(context: CoreContext) {
    this.#context = context;
    context.onCollect('received', () => this.received);
  }

  run(): TaskResult {
    const link = this.#context.link('wire');
    let n = 0;
    while (n < 2 && link.receive()) {
      this.received.push(this.#context.arena.u32[link.offset >> 2] + link.meta.packet);
      link.release();
      n++;
    }
    this.#context.meter.charge(this.#context.op('wire.rx'), n, 0);
    return n === 0 ? IDLE : DONE;
  }
}

export const modules: ModuleRegistry = new Map<string, CoreModule>([
  ['producer', { create: (context, config) => context.addTask(new Producer(context, config)) }],
  ['consumer', { create: (context) => context.addTask(new Consumer(context)) }],
  ['sink', { create: (context) => context.addTask(new Sink(context)) }],
]);

export function pingPlan(total: number, mode: CorePlan['mode'], copyMode: boolean): RunPlan {
  return {
    seed: 1,
    copyMode,
    accountFromPs: 0,
    sampling: { stride: 1 },
    windows: [{ id: 'guest', owner: 'guest', bytes: 4096 }],
    cores: [
      {
        id: 'guest',
        service: 'guest',
        module: 'producer',
        config: { total },
        mode: 'poll',
        account: 'guest',
      },
      {
        id: 'worker',
        service: 'backend',
        module: 'consumer',
        config: {},
        mode,
        account: 'host',
        wakeOp: 'vhost.wakeup',
      },
      { id: 'sink', service: 'nic', module: 'sink', config: {}, mode: 'wait', account: 'none' },
    ],
    channels: [
      {
        id: 'ring',
        kind: 'memory',
        a: { core: 'guest', end: 'ring' },
        b: { core: 'worker', end: 'ring' },
        latencyPs: { ab: 60_000, ba: 70_000 },
        window: 'guest',
        queueSizes: [SLOTS],
      },
      {
        id: 'wire',
        kind: 'link',
        a: { core: 'worker', end: 'wire' },
        b: { core: 'sink', end: 'wire' },
        latencyPs: { ab: 500_000, ba: 500_000 },
        capacity: 4,
        bufferBytes: 4096,
      },
    ],
  };
}

export interface Outcome {
  log: Uint8Array[];
  strings: string[][];
  statistics: unknown;
  sentBytes: number;
}

/** Runs a plan in `groups` of services, each in a runtime of its own, exchanging batches as processes would. */
export function runGroups(plan: RunPlan, groups: string[][]): Outcome {
  const logs: Uint8Array[][] = groups.map(() => []);
  const runtimes = groups.map(
    (services, g) =>
      new VirtualRuntime({
        plan,
        services,
        modules,
        arena: createArena(1 << 20),
        profile: testProfile,
        logSink: (chunk) => void logs[g].push(chunk.slice()),
      }),
  );
  const groupOf = (service: string) => String(groups.findIndex((services) => services.includes(service)));
  const bounds = new TimeBounds(plan, groupOf);
  for (let round = 0; round < 1_000_000; round++) {
    const next = bounds.processes.map((name) => runtimes[Number(name)].nextPs());
    if (Math.min(...next) === Number.POSITIVE_INFINITY) break;
    bounds.processes.forEach((name, i) => {
      runtimes[Number(name)].runUntil(bounds.bound(i, next));
    });
    for (const [g, runtime] of runtimes.entries()) {
      for (const batch of runtime.takeOutgoing()) {
        const other = plan.channels.find((channel) => channel.id === batch.channel);
        const services = [other?.a.core, other?.b.core].map(
          (core) => plan.cores.find(({ id }) => id === core)?.service as string,
        );
        const to = services.map(groupOf).find((group) => group !== String(g));
        runtimes[Number(to)].inject(batch.channel, batch.bytes);
      }
    }
  }
  for (const runtime of runtimes) runtime.log.flush();
  return {
    log: logs.map((chunks) => Buffer.concat(chunks)),
    strings: runtimes.map((runtime) => runtime.log.strings),
    statistics: runtimes.flatMap((runtime) => runtime.statistics()).sort((x, y) => (x.id < y.id ? -1 : 1)),
    sentBytes: runtimes.reduce((sum, runtime) => sum + runtime.sentBytes, 0),
  };
}
