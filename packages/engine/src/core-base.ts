import type { Arena } from '@vhostlab/memory';
import type { ControlEnd, CorePlan, Counter, LinkEnd, MemoryEnd } from './api.ts';
import type { CompiledProfile } from './meter.ts';
import { OPS } from './ops.ts';
import { createRandom } from './random.ts';

const OP_NUMBER = new Map(OPS.map((definition, number) => [definition.op, number]));

/** What a core of either clock is made of besides its plan. */
export interface CoreSurroundings {
  arena: Arena;
  profile: CompiledProfile;
  seed: number;
  window(id: string): number;
}

/** What a core has whatever its clock: its ends, names of operations and constants, counters, results. */
export abstract class CoreBase {
  readonly id: string;
  readonly plan: CorePlan;
  readonly arena: Arena;
  protected readonly counters = new Map<string, Counter>();
  readonly #surroundings: CoreSurroundings;
  readonly #ends = new Map<string, MemoryEnd | LinkEnd | ControlEnd>();
  readonly #collectors = new Map<string, () => unknown>();

  constructor(plan: CorePlan, surroundings: CoreSurroundings) {
    this.id = plan.id;
    this.plan = plan;
    this.arena = surroundings.arena;
    this.#surroundings = surroundings;
  }

  op(name: string): number {
    const number = OP_NUMBER.get(name);
    if (number === undefined) throw new Error(`core ${this.id}: no operation named ${name}`);
    return number;
  }

  constant(name: string): number {
    const { profile } = this.#surroundings;
    const value = profile.constants.get(name);
    if (value === undefined) {
      throw new Error(`cost profile ${profile.name} has no constant ${name}, which core ${this.id} needs`);
    }
    return value;
  }

  window(id: string): number {
    return this.#surroundings.window(id);
  }

  memory(name: string): MemoryEnd {
    return this.#end(name) as MemoryEnd;
  }

  link(name: string): LinkEnd {
    return this.#end(name) as LinkEnd;
  }

  control(name: string): ControlEnd {
    return this.#end(name) as ControlEnd;
  }

  random(name: string): () => number {
    return createRandom(this.#surroundings.seed, `${this.id}/${name}`);
  }

  counter(name: string): Counter {
    let counter = this.counters.get(name);
    if (counter === undefined) {
      counter = { value: 0 };
      this.counters.set(name, counter);
    }
    return counter;
  }

  /** Value of a counter, 0 when nothing has asked for it yet. */
  counterValue(name: string): number {
    return this.counters.get(name)?.value ?? 0;
  }

  onCollect(name: string, collect: () => unknown): void {
    this.#collectors.set(name, collect);
  }

  protected setEnd(name: string, end: MemoryEnd | LinkEnd | ControlEnd): void {
    this.#ends.set(name, end);
  }

  /** Results of the core's collectors, by name. */
  protected collected(): Record<string, unknown> {
    return Object.fromEntries(Array.from(this.#collectors, ([name, collect]) => [name, collect()]));
  }

  #end(name: string): MemoryEnd | LinkEnd | ControlEnd {
    const end = this.#ends.get(name);
    if (end === undefined) throw new Error(`core ${this.id}: no channel end named ${name}`);
    return end;
  }
}
