import {
  addGuestEnds,
  BARRIER,
  type ComponentPlan,
  type CoreContext,
  type CoreModule,
  DONE,
  definePlugin,
  IDLE,
  PacketPool,
  type PluginDefinition,
  type PolledCoreConfig,
  planPolledCores,
  polledPairs,
  polledSchema,
  type Task,
  type TaskResult,
  type VhostPair,
} from '@vhostlab/backend-sdk';

/**
 * A device plugin that does its own rings: it sends every frame back to the guest that it came from. Without its barrier
 * it publishes and decides about the call in one run, as a program without a full fence does.
 */
export function reflector(name: string, hasBarrier: boolean): PluginDefinition {
  class Reflection implements Task {
    readonly name = 'reflect';
    readonly #context: CoreContext;
    readonly #pair: VhostPair;
    readonly #pool: PacketPool;
    readonly #frames = new Uint32Array(64);
    readonly #opEmpty: number;
    #calls = false;

    constructor(context: CoreContext, config: PolledCoreConfig) {
      this.#context = context;
      this.#pair = polledPairs(context, config)[0] as VhostPair;
      this.#pool = new PacketPool(context.arena, { buffers: 128, bufferBytes: 2048, headroomBytes: 128 });
      this.#opEmpty = context.op('vhost.poll_empty');
    }

    run(): TaskResult {
      if (this.#calls) {
        this.#calls = false;
        this.#pair.callIfWanted();
        return DONE;
      }
      const count = this.#pair.dequeue(this.#pool, this.#frames, 32);
      if (count > 0) this.#context.counter('reflected').value += count;
      this.#pair.enqueue(this.#pool, this.#frames, count);
      if (!this.#pair.hasUnpublished || !this.#pair.publish()) {
        this.#context.meter.charge(this.#opEmpty, 1, 0);
        return IDLE;
      }
      if (hasBarrier) {
        this.#calls = true;
        return BARRIER;
      }
      this.#pair.callIfWanted();
      return DONE;
    }
  }
  const module: CoreModule = {
    create: (context: CoreContext, config: PolledCoreConfig) =>
      context.addTask(new Reflection(context, config)),
  };
  return definePlugin({
    name,
    summary: 'sends frames back',
    attachesAs: 'vhost-user',
    configSchema: polledSchema,
    capabilities: () => [
      { name: 'rings.packed', support: 'offered' },
      { name: 'rings.split', support: 'offered' },
    ],
    plan: (config): ComponentPlan => withoutNic(planPolledCores(config, `${name}/core`), config),
    modules: new Map([[`${name}/core`, module]]),
  });

  function withoutNic(plan: ComponentPlan, config: Parameters<typeof addGuestEnds>[1]): ComponentPlan {
    const own: ComponentPlan = { cores: plan.cores, windows: plan.windows, ends: [] };
    for (let pair = 0; pair < config.queues; pair++)
      addGuestEnds(own, config, pair, plan.cores[pair]?.id ?? '');
    return own;
  }
}
