import { IDLE, type Task, type TaskResult } from '@vhostlab/engine';

/** A task that a VMM can stop between two of its runs; what it was about to do it does when it goes on. */
export class Pausable implements Task {
  readonly name: string;
  readonly #task: Task;
  readonly #isPaused: () => boolean;

  constructor(task: Task, isPaused: () => boolean) {
    this.name = task.name;
    this.#task = task;
    this.#isPaused = isPaused;
  }

  run(budget: number): TaskResult {
    return this.#isPaused() ? IDLE : this.#task.run(budget);
  }
}
