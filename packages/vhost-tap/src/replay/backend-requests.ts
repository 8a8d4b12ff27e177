import { closeAll, type Reactor, type UnixSocket } from '@vhostlab/host';
import {
  Connection,
  decodeMessage,
  encodeMessage,
  type Frame,
  HostSocket,
  u64Payload,
} from '@vhostlab/vhost-user';
import type { FlowChecker } from '../flow/flow-checker.ts';
import type { FlowViolation } from '../flow/rules.ts';
import type { SessionPlan } from './plan.ts';

/** Answers what the back end asks on its own socket as the record does; what the record has no answer to: with success. */
export class BackendRequests {
  readonly #connection: Connection;
  readonly #answers: SessionPlan['channelAnswers'][number][];
  readonly #flow: FlowChecker;
  readonly #say: (violation: FlowViolation) => void;

  constructor(
    socket: UnixSocket,
    reactor: Reactor,
    plan: SessionPlan,
    flow: FlowChecker,
    say: (violation: FlowViolation) => void,
  ) {
    this.#answers = [...plan.channelAnswers];
    this.#flow = flow;
    this.#say = say;
    this.#connection = new Connection(new HostSocket(socket, reactor), {
      frame: (frame) => this.#asked(frame),
      closed: () => {},
    });
  }

  close(): void {
    this.#connection.close({ why: 'local', text: 'the replay ends' });
  }

  #asked({ bytes, fds, problems }: Frame): void {
    closeAll(fds);
    const message = decodeMessage(bytes, 'backend', 'request', fds.length);
    for (const problem of problems) this.#say({ ...problem, party: 'back end' });
    for (const violation of this.#flow.backRequest(message).violations) {
      if (violation.party === 'back end') this.#say(violation);
    }
    const { request } = message.header;
    const isAnswered = message.needReply || (message.row?.reply ?? null) !== null;
    if (!isAnswered) return;
    const at = this.#answers.findIndex((each) => each.request === request);
    const recorded = at < 0 ? undefined : this.#answers.splice(at, 1)[0]!.bytes;
    this.#connection.send(recorded ?? encodeMessage({ request, payload: u64Payload(0), role: 'reply' }));
  }
}
