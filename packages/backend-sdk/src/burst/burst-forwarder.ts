import {
  type BurstChannel,
  type burstV1,
  commonV1,
  decodeBurstResponse,
  encodeBurstRequest,
  fromBinary,
  PluginFault,
} from '@vhostlab/contracts';
import type { PortOutput } from '@vhostlab/datapath';
import { type CoreContext, type Counter, OPS } from '@vhostlab/engine';
import type { PacketPool } from '@vhostlab/memory';
import type { Forwarder } from '../polled/polled-core.ts';
import { answerProblem } from './answer-problem.ts';
import { BURST_FRAMES } from './burst-plugin.ts';

interface Kept {
  readonly atPs: number;
  readonly port: number;
  readonly index: number;
}

const OP_NAMES = new Set(OPS.map(({ op }) => op));

/** Sends bursts to a plugin and its answers to the ports; keeps frames that leave later. */
export class BurstForwarder implements Forwarder {
  readonly #context: CoreContext;
  readonly #pool: PacketPool;
  readonly #output: PortOutput;
  readonly #channel: BurstChannel;
  readonly #name: string;
  readonly #ops = new Map<string, number>();
  readonly #drops = new Map<string, Counter>();
  readonly #isUsed = new Uint8Array(BURST_FRAMES);
  /** By moment, then by order of arrival. */
  readonly #kept: Kept[] = [];
  #indices: Uint32Array = new Uint32Array();
  #count = 0;
  #port = 0;
  #sequence = 0;
  #isOver = false;

  constructor(
    context: CoreContext,
    pool: PacketPool,
    output: PortOutput,
    plugin: { name: string; channel: BurstChannel; clock: 'virtual' | 'real' },
  ) {
    this.#context = context;
    this.#pool = pool;
    this.#output = output;
    this.#channel = plugin.channel;
    this.#name = plugin.name;
    context.onCollect('plugin', () => this.#collect(plugin.clock === 'virtual'));
  }

  get duePs(): number {
    return this.#kept[0]?.atPs ?? Number.POSITIVE_INFINITY;
  }

  begin(indices: Uint32Array, count: number, port: number): void {
    this.#indices = indices;
    this.#count = count;
    this.#port = port;
  }

  run(): undefined {
    const answer = this.#exchange();
    const problem = answerProblem(answer, this.#sequence, this.#count, OP_NAMES);
    if (problem !== null) throw new PluginFault(`Plugin ${this.#name} failed in Exchange: ${problem}`);
    for (const { op, count, bytes } of answer.charges) {
      this.#context.meter.charge(this.#op(op), count, Number(bytes));
    }
    this.#isUsed.fill(0);
    for (const output of answer.outputs) this.#take(output);
    for (const { reason, count } of answer.drops) this.#drop(`plugin-${reason}`).value += Number(count);
    for (let i = 0; i < this.#count; i++) if (this.#isUsed[i] === 0) this.#pool.free(this.#indices[i]);
  }

  release(): boolean {
    const now = this.#context.now();
    const kept = this.#kept;
    let count = 0;
    while (count < kept.length && count < BURST_FRAMES && kept[count].atPs <= now) {
      this.#send(kept[count].port, kept[count].index);
      count++;
    }
    kept.splice(0, count);
    return count > 0;
  }

  #exchange(): burstV1.ExchangeResponse {
    const { u8 } = this.#context.arena;
    const frames: Uint8Array[] = [];
    for (let i = 0; i < this.#count; i++) {
      const { offset, length } = this.#pool;
      frames.push(u8.subarray(offset[this.#indices[i]], offset[this.#indices[i]] + length[this.#indices[i]]));
    }
    this.#sequence++;
    const request = encodeBurstRequest({
      id: this.#channel.id,
      sequence: BigInt(this.#sequence),
      nowPs: BigInt(Math.round(this.#context.now())),
      port: this.#port,
      frames,
    });
    return this.#decode(this.#channel.exchange(request));
  }

  #decode(bytes: Uint8Array): burstV1.ExchangeResponse {
    try {
      return decodeBurstResponse(bytes);
    } catch (error) {
      throw new PluginFault(`Plugin ${this.#name} failed in Exchange: ${(error as Error).message}`);
    }
  }

  #take({ port, source, delayPs, frame }: burstV1.Output): void {
    const first = this.#indices[source];
    let index = first;
    if (this.#isUsed[source] === 1) index = this.#copy(first);
    else this.#isUsed[source] = 1;
    if (index < 0) return;
    if (frame.length > 0 && !this.#fill(index, frame)) return;
    const delay = Number(delayPs);
    if (delay === 0) this.#send(port, index);
    else this.#keep({ atPs: this.#context.now() + delay, port, index });
  }

  /** A second frame with the bytes of `first`; -1 when there is no buffer. */
  #copy(first: number): number {
    const index = this.#pool.alloc();
    if (index < 0) {
      this.#drop('no-buffer').value++;
      return -1;
    }
    const { offset, length, packet, bornPs } = this.#pool;
    this.#context.arena.copy(offset[index], offset[first], length[first]);
    length[index] = length[first];
    packet[index] = packet[first];
    bornPs[index] = bornPs[first];
    return index;
  }

  #fill(index: number, frame: Uint8Array): boolean {
    if (frame.length > this.#pool.bufferBytes - this.#pool.headroomBytes) {
      this.#drop('too-long').value++;
      this.#pool.free(index);
      return false;
    }
    this.#context.arena.u8.set(frame, this.#pool.offset[index]);
    this.#pool.length[index] = frame.length;
    return true;
  }

  #keep(kept: Kept): void {
    let at = this.#kept.length;
    while (at > 0 && this.#kept[at - 1].atPs > kept.atPs) at--;
    this.#kept.splice(at, 0, kept);
  }

  #send(port: number, index: number): void {
    if (this.#output.output(port, index)) return;
    this.#drop('no-port').value++;
    this.#pool.free(index);
  }

  #drop(reason: string): Counter {
    let counter = this.#drops.get(reason);
    if (counter === undefined) {
      counter = this.#context.counter(`drop.${reason}`);
      this.#drops.set(reason, counter);
    }
    return counter;
  }

  #op(name: string): number {
    let op = this.#ops.get(name);
    if (op === undefined) {
      op = this.#context.op(name);
      this.#ops.set(name, op);
    }
    return op;
  }

  /** What the plugin has counted. On the virtual clock its instance ends with the run. */
  #collect(isLast: boolean): unknown {
    if (this.#isOver) return {};
    this.#isOver = isLast;
    const { counters } = fromBinary(commonV1.StatisticsSchema, this.#channel.statistics());
    if (isLast) this.#channel.close();
    return Object.fromEntries(counters.map(({ name, value }) => [name, Number(value)]));
  }
}
