import {
  type DumpedFlow,
  decodeFlowDelete,
  decodeFlowPut,
  encodeFlowDump,
  type FlowPut,
  METHOD_FLOW_DELETE,
  METHOD_FLOW_DUMP,
  METHOD_FLOW_FLUSH,
  METHOD_FLOW_PUT,
  STATUS_FULL,
  STATUS_INVALID,
  STATUS_NOT_FOUND,
  STATUS_OK,
  STATUS_UNKNOWN_METHOD,
} from './codec.ts';
import { FlowTable } from './flow-table.ts';
import { KernelLookup, type KernelLookupOptions } from './kernel-lookup.ts';
import { KEY_WORDS, W_IN_PORT } from './key.ts';
import type { FlowLookup, LookupTally } from './lookup.ts';
import { OffloadLookup, type OffloadLookupOptions } from './offload-lookup.ts';
import { UserspaceLookup, type UserspaceLookupOptions } from './userspace-lookup.ts';

/** The kinds of datapath: Linux's module, a PMD thread's, a NIC's embedded switch. */
export type DatapathKind = 'kernel' | 'userspace' | 'offloaded';

/** Settings of a datapath; those of the other kinds are not looked at. */
export interface DatapathOptions {
  readonly kind: DatapathKind;
  /** Megaflows that fit. Default 200,000, Open vSwitch's flow limit; 65,536 for `offloaded`. */
  readonly flowCapacity?: number;
  readonly kernel?: KernelLookupOptions;
  readonly userspace?: UserspaceLookupOptions;
  readonly offload?: OffloadLookupOptions;
}

const NOTHING = new Uint8Array(0);

/**
 * A datapath: megaflows, the lookup of its kind, and the answers to the switch service. Its host extracts keys,
 * calls `lookup`, executes the program of the flow found, sends an upcall for a miss, and charges the tally.
 */
export class Datapath {
  readonly kind: DatapathKind;
  readonly flows: FlowTable;
  /** Flows that were refused because the table was full. */
  refused = 0;
  readonly #lookup: FlowLookup;
  readonly #clock = new Float64Array(1);

  constructor(options: DatapathOptions) {
    this.kind = options.kind;
    const capacity = options.flowCapacity ?? (options.kind === 'offloaded' ? 65_536 : 200_000);
    this.flows = new FlowTable(capacity, options.kind === 'userspace');
    if (options.kind === 'kernel') this.#lookup = new KernelLookup(this.flows, this.#clock, options.kernel);
    else if (options.kind === 'userspace')
      this.#lookup = new UserspaceLookup(this.flows, this.#clock, options.userspace);
    else this.#lookup = new OffloadLookup(this.flows, this.#clock, options.offload);
  }

  /** What lookups amounted to since the host last reset it (`LookupCharges.charge` does). */
  get tally(): LookupTally {
    return this.#lookup.tally;
  }

  /** Where the last lookup ended: one of the `HIT_` numbers. */
  get lastHit(): number {
    return this.#lookup.lastHit;
  }

  /** Masked hash lookups of the last lookup. */
  get lastProbes(): number {
    return this.#lookup.lastProbes;
  }

  /** Flow that the key at word offset `at` matches, -1 for a miss. `hash`: `flowHash` or the NIC's RSS hash. */
  lookup(keys: Uint32Array, at: number, hash: number, nowPs: number): number {
    this.#clock[0] = nowPs;
    return this.#lookup.lookup(keys, at, hash | 0);
  }

  /** Looks up `count` keys, one after the other, `KEY_WORDS` apart; flows (or -1) go to `found`. Answers the hits. */
  lookupBurst(
    keys: Uint32Array,
    hashes: Int32Array,
    count: number,
    nowPs: number,
    found: Int32Array,
  ): number {
    let hits = 0;
    this.#clock[0] = nowPs;
    for (let i = 0; i < count; i++) {
      const flow = this.#lookup.lookup(keys, i * KEY_WORDS, hashes[i] | 0);
      found[i] = flow;
      if (flow >= 0) hits++;
    }
    return hits;
  }

  /** Program of a flow (`ActionExecutor.execute`). */
  program(flow: number): Uint32Array {
    return this.flows.programs[flow];
  }

  /** Counts packets and bytes of a flow that passed at `nowPs`. */
  account(flow: number, packets: number, bytes: number, nowPs: number): void {
    this.flows.account(flow, packets, bytes, nowPs);
  }

  /**
   * Installs or changes a flow. `hash`: of the packet that asked for it; the flow may then enter the caches for
   * `packetKey`. Answers a `STATUS_` number.
   */
  put(flow: FlowPut, nowPs: number, packetKey = flow.key, hash = 0): number {
    if (flow.key[W_IN_PORT] > 0xffff) return STATUS_INVALID;
    if (this.kind === 'userspace' && flow.mask[W_IN_PORT] !== 0xffffffff) return STATUS_INVALID;
    const before = this.flows.count;
    const index = this.flows.put(flow.key, flow.mask, flow.program, nowPs);
    if (index < 0) {
      this.refused++;
      return STATUS_FULL;
    }
    if (this.flows.count > before) this.#lookup.installed(index, packetKey, 0, hash | 0, nowPs);
    return STATUS_OK;
  }

  /** Deletes the flow of exactly this key and mask; false when there is none. */
  remove(key: Uint32Array, mask: Uint32Array): boolean {
    const flow = this.flows.find(key, mask);
    if (flow < 0) return false;
    this.#remove(flow);
    return true;
  }

  /** Deletes all flows. */
  flush(): void {
    for (const flow of this.flows.all()) this.#remove(flow);
  }

  /** Deletes flows without a packet for `idlePs`; answers how many. The host calls it now and then. */
  expire(nowPs: number, idlePs: number): number {
    let removed = 0;
    for (const flow of this.flows.all()) {
      if (nowPs - this.flows.idleSincePs(flow) < idlePs) continue;
      this.#remove(flow);
      removed++;
    }
    return removed;
  }

  /** All flows with their statistics, in the order of their indices. */
  dump(): DumpedFlow[] {
    const flows: DumpedFlow[] = [];
    for (const flow of this.flows.all()) {
      const { packets, bytes, lastUsedPs } = this.flows.stats(flow);
      flows.push({
        key: this.flows.keyOf(flow),
        mask: this.flows.maskOf(flow),
        program: this.flows.programs[flow],
        packets,
        bytes,
        lastUsedPs,
      });
    }
    return flows;
  }

  /**
   * Serves a request of the switch service (`codec.ts`): hand it to `ControlEnd.onRequest`. Malformed bodies
   * are answered with `STATUS_INVALID`.
   */
  serve(
    method: number,
    body: Uint8Array,
    nowPs: number,
    reply: (status: number, body: Uint8Array) => void,
  ): void {
    if (method === METHOD_FLOW_DUMP) {
      reply(STATUS_OK, encodeFlowDump(this.dump()));
      return;
    }
    reply(this.#change(method, body, nowPs), NOTHING);
  }

  #change(method: number, body: Uint8Array, nowPs: number): number {
    if (method === METHOD_FLOW_PUT) {
      const put = decodeFlowPut(body);
      return put === undefined ? STATUS_INVALID : this.put(put, nowPs);
    }
    if (method === METHOD_FLOW_DELETE) {
      const which = decodeFlowDelete(body);
      if (which === undefined) return STATUS_INVALID;
      return this.remove(which.key, which.mask) ? STATUS_OK : STATUS_NOT_FOUND;
    }
    if (method !== METHOD_FLOW_FLUSH) return STATUS_UNKNOWN_METHOD;
    this.flush();
    return STATUS_OK;
  }

  #remove(flow: number): void {
    this.flows.remove(flow);
  }
}
