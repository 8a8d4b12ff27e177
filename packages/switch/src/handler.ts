import {
  type DatapathKind,
  decodeUpcall,
  encodeFlowDelete,
  encodeFlowPut,
  encodeUpcallReply,
  type FlowPut,
  METHOD_FLOW_DELETE,
  METHOD_FLOW_PUT,
  METHOD_UPCALL,
  STATUS_INVALID,
  STATUS_OK,
  STATUS_UNKNOWN_METHOD,
} from '@vhostlab/datapath';
import {
  type ControlEnd,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { SwitchBridge } from './bridge.ts';
import type { TrackedFlow } from './megaflow-store.ts';
import { parseFlows } from './pipeline/parse-flow.ts';

/** A port of the bridge. */
export interface HandlerPort {
  /** Name by which flows may call it. */
  readonly name: string;
  /** Datapath port number. */
  readonly number: number;
}

/** A datapath that this core serves. */
export interface HandlerDatapath {
  /** Name of the control end that leads to it. */
  readonly end: string;
  readonly kind: DatapathKind;
}

/** Configuration of the core module `switch/handler`. */
export interface HandlerConfig {
  readonly ports: readonly HandlerPort[];
  readonly datapaths: readonly HandlerDatapath[];
  /** Flows in the form of ovs-ofctl, one a line or one a string; none: a learning switch. */
  readonly flows?: string | readonly string[];
  readonly macAgingPs?: number;
  readonly macCapacity?: number;
  readonly flowLimit?: number;
  /** Least time between two revalidations. Default 5 ms, as in Open vSwitch. */
  readonly revalidateIntervalPs?: number;
}

interface PendingUpcall {
  readonly datapath: number;
  readonly body: Uint8Array;
  readonly reply: (status: number, body: Uint8Array) => void;
}

const NOTHING = new Uint8Array(0);
const REVALIDATE_INTERVAL_PS = 5e9;

/** The flows of a configuration as text, one a line. */
export function flowText(flows: string | readonly string[] | undefined): string {
  if (flows === undefined || flows.length === 0) return 'priority=0,actions=normal';
  return typeof flows === 'string' ? flows : flows.join('\n');
}

/** A bridge as configured. Throws an Error, one sentence, for flows that cannot be parsed. */
export function createBridge(config: HandlerConfig): SwitchBridge {
  const bridge = new SwitchBridge({
    ports: config.ports.map((port) => port.number),
    macs: {
      ...(config.macCapacity === undefined ? {} : { capacity: config.macCapacity }),
      ...(config.macAgingPs === undefined ? {} : { agingPs: config.macAgingPs }),
    },
    ...(config.flowLimit === undefined ? {} : { flowLimit: config.flowLimit }),
  });
  bridge.addFlows(
    parseFlows(flowText(config.flows), new Map(config.ports.map((port) => [port.name, port.number]))),
  );
  return bridge;
}

/** A handler thread of the switch: answers upcalls in their order of arrival, revalidates when nothing waits. */
class HandlerTask implements Task {
  readonly name = 'switch.handler';
  readonly #context: CoreContext;
  readonly #config: HandlerConfig;
  readonly #bridge: SwitchBridge;
  readonly #ends: ControlEnd[];
  readonly #pending: PendingUpcall[] = [];
  #first = 0;
  readonly #intervalPs: number;
  #nextRevalidationPs = 0;
  readonly #opUpcall: number;
  readonly #opUpcallKernel: number;
  readonly #opTranslate: number;
  readonly #opInsert: number;

  constructor(context: CoreContext, config: HandlerConfig) {
    this.#context = context;
    this.#config = config;
    this.#bridge = createBridge(config);
    this.#intervalPs = config.revalidateIntervalPs ?? REVALIDATE_INTERVAL_PS;
    this.#opUpcall = context.op('switch.upcall');
    this.#opUpcallKernel = context.op('switch.upcall_kernel');
    this.#opTranslate = context.op('switch.translate');
    this.#opInsert = context.op('switch.offload_insert');
    this.#ends = config.datapaths.map((datapath) => context.control(datapath.end));
    this.#ends.forEach((end, datapath) => {
      end.onRequest((method, body, reply) => {
        if (method === METHOD_UPCALL) this.#pending.push({ datapath, body, reply });
        else reply(STATUS_UNKNOWN_METHOD, NOTHING);
      });
    });
    context.onCollect('switch', () => this.#collect());
  }

  run(): TaskResult {
    if (this.#first < this.#pending.length) {
      this.#answer(this.#pending[this.#first++]);
      if (this.#first === this.#pending.length) {
        this.#pending.length = 0;
        this.#first = 0;
      }
      return DONE;
    }
    if (!this.#bridge.isStale) return IDLE;
    const now = this.#context.now();
    if (now < this.#nextRevalidationPs) {
      this.#context.wakeAt(this.#nextRevalidationPs);
      return IDLE;
    }
    this.#revalidate(now);
    return DONE;
  }

  #answer({ datapath, body, reply }: PendingUpcall): void {
    const { meter } = this.#context;
    const upcall = decodeUpcall(body);
    if (upcall === undefined) {
      this.#context.counter('switch.invalid_upcall').value++;
      reply(STATUS_INVALID, NOTHING);
      return;
    }
    const { kind } = this.#config.datapaths[datapath];
    meter.charge(kind === 'kernel' ? this.#opUpcallKernel : this.#opUpcall, 1, upcall.frameBytes);
    meter.charge(this.#opTranslate, 1, 0);
    const verdict = this.#bridge.upcall(upcall.key, this.#context.now(), datapath);
    for (const evicted of verdict.evicted) this.#delete(evicted);
    if (kind === 'offloaded') meter.charge(this.#opInsert, 1, 0);
    reply(STATUS_OK, encodeUpcallReply(verdict));
    this.#share(verdict.put, datapath);
  }

  /** A kernel's flow table is one for all CPUs and the NIC's one for all queues; a PMD thread's is its own. */
  #share(put: FlowPut, origin: number): void {
    this.#config.datapaths.forEach(({ kind }, datapath) => {
      if (datapath === origin || kind === 'userspace') return;
      this.#bridge.addHolder(put, datapath);
      this.#put(put, datapath);
    });
  }

  #put(put: FlowPut, datapath: number): void {
    if (this.#config.datapaths[datapath].kind === 'offloaded')
      this.#context.meter.charge(this.#opInsert, 1, 0);
    this.#ends[datapath].send(METHOD_FLOW_PUT, encodeFlowPut(put));
  }

  #delete(tracked: TrackedFlow): void {
    const body = encodeFlowDelete(tracked.flow.key, tracked.flow.mask);
    for (const datapath of tracked.holders) this.#ends[datapath].send(METHOD_FLOW_DELETE, body);
  }

  #revalidate(now: number): void {
    const { deleted, modified, checked } = this.#bridge.revalidate(now);
    if (checked > 0) this.#context.meter.charge(this.#opTranslate, checked, 0);
    for (const tracked of deleted) this.#delete(tracked);
    for (const tracked of modified) for (const datapath of tracked.holders) this.#put(tracked.flow, datapath);
    this.#nextRevalidationPs = this.#context.now() + this.#intervalPs;
  }

  #collect(): unknown {
    const { faults, ...counters } = this.#bridge.counters;
    return {
      ...counters,
      faults: Object.fromEntries(faults),
      megaflows: this.#bridge.megaflowCount,
      macs: this.#bridge.macs.size,
      rules: this.#bridge.tables.size,
    };
  }
}

/** Core module `switch/handler`: the switch service's part that answers misses of datapaths. */
export const switchHandler: CoreModule = {
  create(context: CoreContext, config: HandlerConfig): void {
    context.addTask(new HandlerTask(context, config));
  },
};
