import type { ControlEnd, CoreContext, Procedure } from '@vhostlab/engine';
import { dirtyLogBytes } from '@vhostlab/memory';
import { ROUTE_TO, STEER_FLUSH, STEER_HOLD, STEER_TO } from '@vhostlab/workload';
import type { VmmConfig } from '../core-config.ts';
import { backendShare } from '../features.ts';
import type { SwappedDevice } from '../instances/swap.ts';
import type { VhostSetup } from '../vhost-setup.ts';
import { BackendLog } from './backend-log.ts';
import {
  MIGRATION_BEGIN,
  MIGRATION_GO_ON,
  MIGRATION_STOP,
  MIGRATION_WRITTEN,
  moment,
  ROUTE_PAUSE,
  ROUTE_RESUME,
  ROUTE_WATCH,
  ROUTE_WRITTEN,
  SHADOWED,
  sentence,
} from './methods.ts';
import type { VmmMigration } from './migration-config.ts';
import type { MigrationSource } from './migration-source.ts';
import { ShadowLog } from './shadow-log.ts';

const NOTHING = new Uint8Array(0);
const EINVAL = 22;
const EOPNOTSUPP = 95;

interface Answer {
  status: number;
  body: Uint8Array;
}

/**
 * A VMM's main loop during a migration, asked by the migration thread: it turns the log of the back end and the watch of
 * the vCPUs on, collects what they saw, and moves device and vCPUs to the other host when memory is there. Everything that
 * is on its way when the guest stops is in the guest's memory before the last pages are taken: the port of the NIC that
 * both hosts share is paused, and what it had goes to the guest first.
 */
export class Migrator {
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #migration: VmmMigration;
  readonly #setups: readonly VhostSetup[];
  readonly #device: SwappedDevice;
  readonly #routes: readonly ControlEnd[];
  readonly #steer: ControlEnd;
  readonly #source: MigrationSource;
  #bases: number[] = [];

  constructor(
    context: CoreContext,
    config: VmmConfig,
    migration: VmmMigration,
    setups: readonly VhostSetup[],
    device: SwappedDevice,
    routes: readonly ControlEnd[],
  ) {
    this.#context = context;
    this.#config = config;
    this.#migration = migration;
    this.#setups = setups;
    this.#device = device;
    this.#routes = routes;
    this.#steer = context.control('steer');
    this.#source =
      config.backend === 'vdpa'
        ? new ShadowLog(context, config, device, routes)
        : new BackendLog(context, config, setups[0], device, migration.event.skips ?? []);
    context.control('migration').onRequest((method, _body, reply) => {
      const steps = this.#steps(method);
      if (steps === undefined) {
        reply(EINVAL, sentence(`request ${method} is no part of a migration`));
        return;
      }
      const answering = function* (): Procedure {
        const { status, body } = yield* steps;
        reply(status, body);
      };
      context.spawn('vmm.migration', answering());
    });
  }

  #steps(method: number): Procedure<Answer> | undefined {
    switch (method) {
      case MIGRATION_BEGIN:
        return this.#begin();
      case MIGRATION_WRITTEN:
        return this.#written();
      case MIGRATION_STOP:
        return this.#stop();
      case MIGRATION_GO_ON:
        return this.#goOn();
      default:
        return undefined;
    }
  }

  *#begin(): Procedure<Answer> {
    const device = this.#device;
    if (!device.isRunning) return refusal('the driver of the guest has not set the device up');
    const { instance, event } = this.#migration;
    const offers = yield* this.#setups[instance].open();
    if (offers === undefined) return refusal(`the back end of ${event.to} refused to be opened`);
    const missing = backendShare(device.features).minus(offers);
    if (!missing.isEmpty) {
      return refusal(`${event.to} does not offer ${missing}, which the guest's driver has acknowledged`);
    }
    const begun = yield* this.#source.begin();
    if (begun.refused !== undefined) return refusal(begun.refused);
    for (const route of this.#routes) yield route.request(ROUTE_WATCH, NOTHING);
    return { status: begun.isShadow === true ? SHADOWED : 0, body: sentence(begun.doubt ?? '') };
  }

  /**
   * The back end first: what its log has was published before, and a vCPU that is asked afterwards has seen it. So memory
   * holds what the log says was written.
   */
  *#written(): Procedure<Answer> {
    return { status: 0, body: yield* this.#logs() };
  }

  *#logs(): Procedure<Uint8Array> {
    const bytes = dirtyLogBytes(this.#config.layout.bytes);
    const both = new Uint8Array(2 * bytes);
    both.set(yield* this.#source.take(), bytes);
    for (const route of this.#routes) {
      const log = (yield route.request(ROUTE_WRITTEN, NOTHING)).bytes;
      for (let i = 0; i < bytes; i++) both[i] |= log[i] ?? 0;
    }
    return both;
  }

  *#stop(): Procedure<Answer> {
    yield this.#steer.request(STEER_HOLD, NOTHING);
    yield* this.#source.settle();
    const pausedPs = this.#context.now();
    for (const route of this.#routes) yield route.request(ROUTE_PAUSE, NOTHING);
    const bases = yield* this.#source.stop();
    if (bases === undefined) return refusal('the back end did not say where its rings stand');
    this.#bases = bases;
    yield this.#steer.request(STEER_FLUSH, NOTHING);
    const logs = yield* this.#logs();
    yield* this.#source.end();
    yield* this.#setups[this.#device.present].release();
    const body = new Uint8Array(8 + logs.length);
    body.set(moment(pausedPs));
    body.set(logs, 8);
    return { status: 0, body };
  }

  *#goOn(): Procedure<Answer> {
    const device = this.#device;
    const { instance, event } = this.#migration;
    for (const route of this.#routes) yield route.request(ROUTE_TO, Uint8Array.of(instance));
    const { features, queues } = device;
    const ok = yield* this.#setups[instance].start({ features, queues, bases: this.#bases });
    if (!ok) return refusal(`the back end of ${event.to} refused the device's state`);
    device.present = instance;
    for (const route of this.#routes) yield route.request(ROUTE_RESUME, NOTHING);
    const resumedPs = this.#context.now();
    yield this.#steer.request(STEER_TO, Uint8Array.of(instance));
    return { status: 0, body: moment(resumedPs) };
  }
}

function refusal(reason: string): Answer {
  return { status: EOPNOTSUPP, body: sentence(reason) };
}
