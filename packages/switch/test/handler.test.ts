import {
  Datapath,
  type DatapathKind,
  decodeUpcallReply,
  encodeUpcall,
  flowHash,
  KEY_FIELDS,
  KEY_WORDS,
  METHOD_UPCALL,
  STATUS_INVALID,
  writeField,
} from '@vhostlab/datapath';
import {
  type CompiledProfile,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  OPS,
  type RunPlan,
  type Task,
  type TaskResult,
  type Ticket,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import { type HandlerConfig, switchHandler } from '../src/index.ts';

const profile: CompiledProfile = {
  name: 'test',
  fixedPs: new Float64Array(OPS.length).fill(1_000_000),
  perBytePs: new Float64Array(OPS.length),
  constants: new Map(),
};
const LATENCY = 500_000;

interface Packet {
  atPs: number;
  inPort: number;
  src: number;
  dst: number;
}

interface HostConfig {
  kind: DatapathKind;
  packets: Packet[];
  garbage?: boolean;
}

/** A datapath that sees packets at given times and notes what it did with them. */
class Host implements Task {
  readonly name = 'host';
  readonly #context: CoreContext;
  readonly #datapath: Datapath;
  readonly #packets: Packet[];
  readonly #garbage: boolean;
  readonly #seen: string[] = [];
  #waiting: { ticket: Ticket; key: Uint32Array; packet: Packet } | undefined;

  constructor(context: CoreContext, config: HostConfig) {
    this.#context = context;
    this.#datapath = new Datapath({ kind: config.kind });
    this.#packets = config.packets;
    this.#garbage = config.garbage === true;
    context.control('switch').onRequest((method, body, reply) => {
      this.#datapath.serve(method, body, context.now(), reply);
    });
    context.onCollect('seen', () => this.#seen);
    context.onCollect('flows', () => this.#datapath.dump().map(({ key, program }) => [key[0], ...program]));
    if (this.#packets.length > 0) context.wakeAt(this.#packets[0].atPs);
  }

  run(): TaskResult {
    const now = this.#context.now();
    if (this.#waiting !== undefined) {
      const { ticket, key, packet } = this.#waiting;
      if (!ticket.done) return IDLE;
      this.#waiting = undefined;
      const reply = decodeUpcallReply(ticket.bytes);
      if (reply?.put !== undefined) this.#datapath.put(reply.put, now, key, flowHash(key, 0));
      this.#note(packet, reply === undefined ? `refused ${ticket.value}` : `upcall ${reply.program}`);
      return DONE;
    }
    const packet = this.#packets[0];
    if (packet === undefined) return IDLE;
    if (packet.atPs > now) {
      this.#context.wakeAt(packet.atPs);
      return IDLE;
    }
    this.#packets.shift();
    const key = new Uint32Array(KEY_WORDS);
    writeField(key, 0, KEY_FIELDS.in_port, BigInt(packet.inPort));
    writeField(key, 0, KEY_FIELDS.eth_src, BigInt(packet.src));
    writeField(key, 0, KEY_FIELDS.eth_dst, BigInt(packet.dst));
    writeField(key, 0, KEY_FIELDS.eth_type, 0x88b5n);
    const hash = flowHash(key, 0);
    const flow = this.#datapath.lookup(key, 0, hash, now);
    if (flow >= 0) {
      this.#note(packet, `hit ${this.#datapath.program(flow)}`);
      return DONE;
    }
    const body = this.#garbage
      ? new Uint8Array(7)
      : encodeUpcall({ key, hash, frameBytes: 60, frame: new Uint8Array(0) });
    this.#waiting = { ticket: this.#context.control('switch').request(METHOD_UPCALL, body), key, packet };
    return DONE;
  }

  #note(packet: Packet, what: string): void {
    this.#seen.push(`${packet.src}>${packet.dst}@${packet.inPort} ${what}`);
  }
}

const host: CoreModule = {
  create(context: CoreContext, config: HostConfig): void {
    context.addTask(new Host(context, config));
  },
};

function run(hosts: HostConfig[], config: Omit<HandlerConfig, 'datapaths'>) {
  const plan: RunPlan = {
    seed: 1,
    windows: [],
    sampling: { stride: 0 },
    accountFromPs: 0,
    copyMode: false,
    cores: [
      {
        id: 'handler',
        service: 'switch',
        module: 'switch/handler',
        config: { ...config, datapaths: hosts.map(({ kind }, i) => ({ end: `dp${i}`, kind })) },
        mode: 'wait',
        account: 'host',
      },
      ...hosts.map((one, i) => ({
        id: `host${i}`,
        service: 'backend',
        module: 'host',
        config: one,
        mode: 'wait' as const,
        account: 'host' as const,
      })),
    ],
    channels: hosts.map((_, i) => ({
      id: `control${i}`,
      kind: 'control' as const,
      a: { core: `host${i}`, end: 'switch' },
      b: { core: 'handler', end: `dp${i}` },
      latencyPs: { ab: LATENCY, ba: LATENCY },
    })),
  };
  const runtime = new VirtualRuntime({
    plan,
    services: ['switch', 'backend'],
    modules: new Map([
      ['switch/handler', switchHandler],
      ['host', host],
    ]),
    arena: createArena(1 << 16),
    profile,
  });
  expect(runtime.runUntil(1e12, 100_000)).toBe(false);
  const cores = runtime.statistics();
  const of = (id: string) => cores.find((core) => core.id === id);
  return {
    results: hosts.map((_, i) => of(`host${i}`)?.results as { seen: string[]; flows: number[][] }),
    handler: of('handler')?.results.switch as Record<string, unknown>,
    statistics: cores,
  };
}

const ports = [
  { name: 'vm0', number: 1 },
  { name: 'vm1', number: 2 },
  { name: 'nic', number: 3 },
];
const packet = (atPs: number, inPort: number, src: number, dst: number): Packet => ({
  atPs,
  inPort,
  src,
  dst,
});

describe('switch/handler', () => {
  it('answers a miss once and the flow answers afterwards', () => {
    const packets = [packet(0, 1, 2, 4), packet(50e6, 1, 2, 4), packet(60e6, 2, 2, 4)];
    const flows = 'in_port=vm0,actions=output:nic\nin_port=vm1,actions=drop';
    const { results, handler } = run([{ kind: 'userspace', packets }], { ports, flows });
    expect(results[0].seen).toEqual(['2>4@1 upcall 1,3', '2>4@1 hit 1,3', '2>4@2 upcall ']);
    expect(results[0].flows).toEqual([[1, 1, 3], [2]]);
    expect(handler).toMatchObject({ upcalls: 2, installed: 2, megaflows: 2, rules: 2, faults: {} });
  });

  it('is a learning switch by default and mends stale flows', () => {
    const packets = [packet(0, 1, 2, 4), packet(50e6, 2, 4, 2), packet(10e9, 1, 2, 4)];
    const { results, handler } = run([{ kind: 'kernel', packets }], { ports });
    expect(results[0].seen).toEqual(['2>4@1 upcall 7,2,1,3', '4>2@2 upcall 1,1', '2>4@1 hit 1,2']);
    expect(handler).toMatchObject({ modified: 1, macs: 2 });
  });

  it('gives a flow to datapaths that share theirs, not to another PMD thread', () => {
    const origin: HostConfig = { kind: 'userspace', packets: [packet(0, 1, 2, 4)] };
    const quiet = (kind: DatapathKind): HostConfig => ({ kind, packets: [] });
    const { results } = run([origin, quiet('userspace'), quiet('kernel'), quiet('offloaded')], {
      ports,
      flows: ['actions=output:2'],
    });
    expect(results.map(({ flows }) => flows.length)).toEqual([1, 0, 1, 1]);
  });

  it('charges the kinds differently', () => {
    const charged = (kind: DatapathKind) => {
      const { statistics } = run([{ kind, packets: [packet(0, 1, 2, 4)] }], { ports, flows: 'actions=2' });
      const ops = statistics.find((core) => core.id === 'handler')?.ops as Record<string, unknown>;
      return Object.keys(ops).sort();
    };
    expect(charged('userspace')).toEqual(['switch.translate', 'switch.upcall']);
    expect(charged('kernel')).toEqual(['switch.translate', 'switch.upcall_kernel']);
    expect(charged('offloaded')).toEqual(['switch.offload_insert', 'switch.translate', 'switch.upcall']);
  });

  it('refuses a malformed upcall and lives on', () => {
    const { results, statistics } = run([{ kind: 'kernel', packets: [packet(0, 1, 2, 4)], garbage: true }], {
      ports,
    });
    expect(results[0].seen).toEqual([`2>4@1 refused ${STATUS_INVALID}`]);
    const handler = statistics.find((core) => core.id === 'handler');
    expect(handler?.counters).toMatchObject({ 'switch.invalid_upcall': 1 });
  });

  it('names a flow that cannot be', () => {
    expect(() => run([], { ports, flows: 'in_prot=1,actions=drop' })).toThrow(
      'flow "in_prot=1,actions=drop": unknown key "in_prot"',
    );
  });

  it('repeats itself', () => {
    const packets = Array.from({ length: 40 }, (_, i) =>
      packet(i * 3e6, 1 + (i % 3), 2 + 2 * (i % 5), 2 + 2 * (i % 7)),
    );
    const once = () =>
      run(
        [
          { kind: 'kernel', packets },
          { kind: 'userspace', packets },
        ],
        { ports },
      );
    expect(once()).toEqual(once());
  });
});
