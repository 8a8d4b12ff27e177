import { type CoreContext, IDLE, type Task, type TaskResult } from '@vhostlab/engine';

/** How soon a core that is not quiet looks again, whatever else wakes it. */
const LOOK_PS = 1_000_000;

/**
 * Who waits for a core to have nothing under way. Its task comes into being with the first who asks, so a core that is never
 * asked is not changed by it.
 */
export class QuietWatch implements Task {
  readonly name = 'host.quiet';
  readonly #context: CoreContext;
  readonly #isQuiet: () => boolean;
  readonly #onAsked: () => void;
  readonly #waiting: (() => void)[] = [];
  #added = false;

  /** `isQuiet` is asked between the runs of other tasks; `onAsked` is told first, so that what it says is fresh. */
  constructor(context: CoreContext, isQuiet: () => boolean, onAsked: () => void = () => undefined) {
    this.#context = context;
    this.#isQuiet = isQuiet;
    this.#onAsked = onAsked;
  }

  /** Calls `done` as soon as the core is quiet. */
  ask(done: () => void): void {
    this.#waiting.push(done);
    this.#onAsked();
    if (this.#added) return;
    this.#added = true;
    this.#context.addTask(this);
  }

  run(): TaskResult {
    if (this.#waiting.length === 0) return IDLE;
    if (this.#isQuiet()) for (const done of this.#waiting.splice(0)) done();
    else this.#context.wakeAt(this.#context.now() + LOOK_PS);
    return IDLE;
  }
}
