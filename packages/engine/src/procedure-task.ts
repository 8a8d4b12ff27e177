import {
  type CoreContext,
  DONE,
  HOLD,
  IDLE,
  type Procedure,
  type Task,
  type TaskResult,
  type Ticket,
} from './api.ts';
import type { EngineTicket } from './ticket.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Runs a procedure as a task: each run continues it when the ticket that it waits for is done. */
export class ProcedureTask implements Task {
  readonly name: string;
  readonly #procedure: Procedure;
  readonly #core: CoreContext;
  readonly #finished: (task: Task) => void;
  #waitsFor: Ticket | undefined;
  #started = false;

  constructor(name: string, procedure: Procedure, core: CoreContext, finished: (task: Task) => void) {
    this.name = name;
    this.#procedure = procedure;
    this.#core = core;
    this.#finished = finished;
  }

  run(): TaskResult {
    const ticket = this.#waitsFor;
    if (ticket !== undefined && !ticket.done) {
      if (ticket.atPs > this.#core.now()) {
        if (ticket.atPs < NEVER) this.#core.wakeAt(ticket.atPs);
        return IDLE;
      }
      (ticket as EngineTicket).complete(0);
    }
    const step = this.#started ? this.#procedure.next(ticket as Ticket) : this.#procedure.next();
    this.#started = true;
    if (step.done) {
      this.#finished(this);
      return DONE;
    }
    this.#waitsFor = step.value;
    if (step.value.done) return DONE;
    if (step.value.holds) {
      this.#core.holdOn(step.value);
      return HOLD;
    }
    if (step.value.atPs < NEVER) this.#core.wakeAt(step.value.atPs);
    return IDLE;
  }
}
