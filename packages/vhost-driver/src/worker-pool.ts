import { extname } from 'node:path';
import { Thread } from '@vhostlab/host';
import type { RingRestart, Settings } from './options.ts';
import type { AppReport, RingFds, WorkerCommand, WorkerNote } from './worker/commands.ts';
import type { Agreement, PairPlan, WorkerPlan } from './worker/plan.ts';
import { PREPARED_BYTES } from './worker/prepared-frames.ts';
import { MAX_FRAME_BYTES } from './worker/receive-side.ts';

const SCRATCH_PER_PAIR = Math.ceil(MAX_FRAME_BYTES / 4096) * 4096;

/** Private memory that a worker needs for its pairs. */
export function scratchBytes(settings: Settings): number {
  const pairs = Math.ceil(settings.queues / settings.workers);
  return pairs * (SCRATCH_PER_PAIR + (settings.workload.kind === 'tx' ? PREPARED_BYTES : 0));
}

/** What all workers have in common. */
export type SharedPlan = Omit<WorkerPlan, 'cpu' | 'pairs' | 'scratchOffset'>;

/** The threads of a front end: every pair belongs to one, dealt in turn. */
export class WorkerPool {
  readonly #threads: readonly Thread[];
  /** How often they were told to finish, and how many said since then that they have. */
  #finishes = 0;
  #done = 0;
  /** Called when every thread has nothing left to do; again after each `finish`. */
  onDone: () => void = () => undefined;
  onBroken: (queue: number, violation: string) => void = () => undefined;
  /** Called when a thread dies, which none should. */
  onDeath: (error: Error) => void = () => undefined;
  #isClosing = false;

  /** `scratch`: where the private memory of each worker begins. */
  constructor(
    settings: Settings,
    shared: SharedPlan,
    pairs: readonly PairPlan[],
    scratch: readonly number[],
  ) {
    const { workers, cpus } = settings;
    const module = new URL(`./worker/thread-main${extname(import.meta.filename)}`, import.meta.url);
    this.#threads = Array.from({ length: workers }, (_, worker) => {
      const plan: WorkerPlan = {
        ...shared,
        cpu: cpus.length === 0 ? undefined : cpus[worker % cpus.length],
        scratchOffset: scratch[worker],
        pairs: pairs.filter((_, pair) => pair % workers === worker),
      };
      const thread = new Thread(module, plan, `driver${worker}`);
      thread.onNote = (note) => this.#onNote(note as WorkerNote);
      void thread.ended.then((error) => {
        if (!this.#isClosing) this.onDeath(error ?? new Error(`worker ${worker} has ended`));
      });
      return thread;
    });
  }

  #onNote(note: WorkerNote): void {
    if (note.kind === 'broken') this.onBroken(note.queue, note.violation);
    else if (note.finishes === this.#finishes && ++this.#done === this.#threads.length) this.onDone();
  }

  async configure(agreement: Agreement): Promise<void> {
    await this.#all({ kind: 'configure', agreement });
  }

  async attach(rings: readonly RingFds[]): Promise<void> {
    await this.#all({ kind: 'attach', rings });
  }

  async detach(): Promise<void> {
    await this.#all({ kind: 'detach' });
  }

  /** Where each ring goes on, by index. */
  async rewind(agreement: Agreement): Promise<RingRestart[]> {
    const answers = await this.#all({ kind: 'rewind', agreement });
    return (answers as RingRestart[][]).flat().sort((a, b) => a.index - b.index);
  }

  /** True when no ring is broken. */
  async isSound(): Promise<boolean> {
    return (await this.#all({ kind: 'sound' })).every((sound) => sound === true);
  }

  /** Where each ring goes on when the next back end knows what was in flight, by index. */
  async keep(): Promise<RingRestart[]> {
    const answers = await this.#all({ kind: 'keep' });
    return (answers as RingRestart[][]).flat().sort((a, b) => a.index - b.index);
  }

  async finish(): Promise<void> {
    this.#finishes++;
    this.#done = 0;
    await this.#all({ kind: 'finish' });
  }

  /** Reports of all pairs. */
  async report(): Promise<AppReport[]> {
    return ((await this.#all({ kind: 'report' })) as AppReport[][]).flat();
  }

  /** Ends the threads; resolves when none is left. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#threads.map((thread) => thread.call({ kind: 'quit' })));
    await Promise.all(this.#threads.map((thread) => thread.ended));
  }

  #all(command: WorkerCommand): Promise<unknown[]> {
    return Promise.all(this.#threads.map((thread) => thread.call(command)));
  }
}
