import {
  type burstV1,
  commonV1,
  create,
  decodeBurstRequest,
  encodeBurstResponse,
  toUint64,
} from '@vhostlab/contracts';
import { createRandom } from '@vhostlab/engine';
import type { BurstAnswer, BurstInstance, BurstPlugin } from './burst-plugin.ts';

/** Takes the log lines of instances. */
export type LogLine = (text: string) => void;

/** One instance of a burst plugin: what the contract's messages are for its author's code, and back. */
export class RunningBurst {
  readonly #instance: BurstInstance;
  readonly #counters = new Map<string, number>();
  readonly #drops = new Map<string, number>();
  #sequence = 0n;
  #nowPs = 0n;

  constructor(plugin: BurstPlugin, options: unknown, seed: number, log: LogLine) {
    this.#instance = plugin.create(plugin.optionsSchema.parse(options) as never, {
      random: createRandom(seed, plugin.name),
      count: (name, by = 1) => void this.#counters.set(name, (this.#counters.get(name) ?? 0) + by),
      log: (text) => log(`${plugin.name}: ${text}`),
    });
  }

  /** Null, or why the next burst cannot be this one. */
  problem({ sequence }: burstV1.ExchangeRequest): string | null {
    return sequence === this.#sequence + 1n ? null : `Burst ${sequence} follows burst ${this.#sequence}.`;
  }

  answer(request: burstV1.ExchangeRequest): burstV1.ExchangeResponse {
    this.#sequence = request.sequence;
    this.#nowPs = request.nowPs;
    const answer = new Answer(request.sequence);
    const { port, frames } = request;
    this.#count('frames.in', frames.length);
    this.#instance.burst({ port, nowPs: Number(request.nowPs), frames }, answer);
    this.#count('frames.out', answer.message.outputs.length);
    for (const { reason, count } of answer.message.drops) {
      this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + Number(count));
    }
    return answer.message;
  }

  /** The same for encoded messages, for a host in this process. */
  exchange(bytes: Uint8Array): Uint8Array {
    return encodeBurstResponse(this.answer(decodeBurstRequest(bytes)));
  }

  stop(): void {
    this.#instance.stop?.();
  }

  statistics(): commonV1.Statistics {
    const sorted = (counts: ReadonlyMap<string, number>) => [...counts].sort(([x], [y]) => (x < y ? -1 : 1));
    return create(commonV1.StatisticsSchema, {
      atPs: this.#nowPs,
      counters: sorted(this.#counters).map(([name, value]) => ({ core: '', name, value: toUint64(value) })),
      drops: sorted(this.#drops).map(([reason, count]) => ({ reason, count: toUint64(count) })),
    });
  }

  #count(name: string, by: number): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }
}

class Answer implements BurstAnswer {
  readonly message: burstV1.ExchangeResponse;

  constructor(sequence: bigint) {
    this.message = {
      $typeName: 'vhostlab.backend.v1.ExchangeResponse',
      sequence,
      outputs: [],
      drops: [],
      charges: [],
    };
  }

  send(port: number, source: number, change?: { delayPs?: number; frame?: Uint8Array }): void {
    const delay = change?.delayPs;
    this.message.outputs.push({
      $typeName: 'vhostlab.backend.v1.Output',
      port,
      source,
      delayPs: delay === undefined || delay === 0 ? 0n : BigInt(Math.round(delay)),
      frame: (change?.frame ?? NOTHING) as typeof NOTHING,
    });
  }

  drop(reason: string, count = 1): void {
    if (count > 0) {
      this.message.drops.push({ $typeName: 'vhostlab.common.v1.DropCount', reason, count: toUint64(count) });
    }
  }

  charge(op: string, count: number, bytes: number): void {
    this.message.charges.push({ $typeName: 'vhostlab.backend.v1.Charge', op, count, bytes: BigInt(bytes) });
  }
}

const NOTHING = new Uint8Array();
