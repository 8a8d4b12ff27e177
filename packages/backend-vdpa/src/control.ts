import {
  readVhostReply,
  sendVhostRequest,
  serveVhost,
  type VhostReplyInit,
  type VhostRequestCase,
  type VhostRequestInit,
} from '@vhostlab/backend-sdk';
import {
  type ControlEnd,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type Task,
  type TaskResult,
  type Ticket,
} from '@vhostlab/engine';
import { DeviceRules } from './device-rules.ts';
import type { VdpaControlConfig } from './plan.ts';

interface Call {
  request: VhostRequestCase;
  answer(reply: VhostReplyInit): void;
}

/**
 * The host's vhost-vdpa device of one guest: requests of the VMM, one at a time as under the driver's lock, are checked
 * and handed to the parent device in the NIC.
 */
class VdpaControl implements Task {
  readonly name = 'vdpa.control';
  readonly #context: CoreContext;
  readonly #guest: number;
  readonly #nic: ControlEnd;
  readonly #stage: number;
  readonly #rules = new DeviceRules();
  readonly #calls: Call[] = [];
  #ticket: Ticket | undefined;

  constructor(context: CoreContext, config: VdpaControlConfig) {
    this.#context = context;
    this.#guest = config.guest;
    this.#nic = context.control('nic');
    this.#stage = context.stage('setup');
    serveVhost(context.control(`vhost.${config.guest}.0`), (request, answer) => {
      this.#calls.push({ request, answer });
    });
  }

  run(): TaskResult {
    const call = this.#calls[0];
    if (call === undefined) return IDLE;
    if (this.#ticket === undefined) {
      const answer = this.#rules.answerOf(call.request);
      if (answer !== undefined) {
        this.#finish(call, answer);
        return DONE;
      }
      this.#ticket = sendVhostRequest(this.#nic, call.request as VhostRequestInit);
      return IDLE;
    }
    if (!this.#ticket.done) return IDLE;
    const reply = readVhostReply(this.#ticket);
    this.#ticket = undefined;
    this.#rules.completed(call.request, reply);
    this.#finish(call, reply);
    return DONE;
  }

  #finish(call: Call, reply: VhostReplyInit): void {
    this.#calls.shift();
    const name = call.request.case ?? 'empty request';
    const outcome = (reply.error ?? 0) === 0 ? '' : ` refused: ${reply.reason}`;
    if (outcome !== '') this.#context.counter('setup.refused').value++;
    this.#context.recorder.note(
      this.#stage,
      `guest ${this.#guest}: vhost-vdpa ${name}${outcome}`,
      reply.error ?? 0,
      this.#rules.status,
    );
    call.answer(reply);
  }
}

/** Core module `vdpa/control`. */
export const controlModule: CoreModule = {
  create(context: CoreContext, config: VdpaControlConfig): void {
    context.addTask(new VdpaControl(context, config));
  },
};
