import { closeAll, type Fd, sleep, UnixSocket } from '@vhostlab/host';
import {
  type Channel,
  type CloseReason,
  Connection,
  decodeMessage,
  type Frame,
  HostSocket,
  type Message,
  type Role,
} from '@vhostlab/vhost-user';
import { FlowChecker, type FlowResult } from '../flow/flow-checker.ts';
import type { Sender } from '../flow/rules.ts';
import { WatchedMemory } from '../memory/watched-memory.ts';
import { BackendChannel } from './backend-channel.ts';
import { noteFds } from './fd-notes.ts';
import { MemoryMessages } from './memory-messages.ts';
import { NotificationSteps } from './notification-steps.ts';
import { RingSet } from './ring-set.ts';
import type { SessionSurroundings } from './session-surroundings.ts';

/** Longest message that is passed on. */
const MAX_PAYLOAD_BYTES = 65_536;

/** One front end and one back end, and everything that goes between them. */
export class TapSession {
  readonly number: number;
  readonly rings: RingSet;
  /** Resolves when both connections are closed and everything is given back. */
  readonly ended: Promise<void>;
  readonly #shared: SessionSurroundings;
  readonly #flow = new FlowChecker();
  readonly #memory = new WatchedMemory();
  readonly #memoryMessages: MemoryMessages;
  readonly #steps: NotificationSteps;
  readonly #front: Connection;
  readonly #back: Connection;
  #channel: BackendChannel | null = null;
  #isEnded = false;
  #end: () => void = () => undefined;

  /** Takes over both sockets. */
  constructor(number: number, front: UnixSocket, back: UnixSocket, shared: SessionSurroundings) {
    this.number = number;
    this.#shared = shared;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { journal, reactor } = shared;
    this.rings = new RingSet(number, this.#memory, this.#flow.state, journal);
    this.#memoryMessages = new MemoryMessages(number, this.#memory, this.rings, this.#flow.state, journal);
    this.#steps = new NotificationSteps(number, shared, this.rings);
    journal.note(number, 'open', 'front end and back end are connected');
    const options = { maxPayloadBytes: MAX_PAYLOAD_BYTES, maxQueuedBytes: 2 ** 22 };
    this.#back = new Connection(
      new HostSocket(back, reactor),
      {
        frame: (frame) => this.#answered(frame),
        closed: (reason) => this.#closed('back end', reason),
      },
      options,
    );
    this.#front = new Connection(
      new HostSocket(front, reactor),
      {
        frame: (frame) => this.#requested(frame),
        closed: (reason) => this.#closed('front end', reason),
      },
      options,
    );
  }

  /** Closes both sides. */
  stop(): void {
    this.#front.close({ why: 'local', text: 'the tap ends' });
  }

  /** A message of the front end. */
  async #requested(frame: Frame): Promise<void> {
    const message = this.#take(frame, 'main', 'request', 'front end');
    const facts = this.#flow.state.rings;
    const running = this.#flow.state.ringList.filter(({ started }) => started).map((ring) => ({ ...ring }));
    this.#report(this.#flow.frontRequest(message), frame);
    const spare: Fd[] = [...frame.fds];
    const fds = this.#actOn(message, frame.fds, spare);
    if (message.payload !== null && 'index' in message.payload && message.name === 'SET_VRING_KICK') {
      const ring = facts.get(message.payload.index);
      if (ring !== undefined) this.rings.start(ring);
    }
    this.#memoryMessages.apply(message, frame.fds, running);
    if (!this.#flow.state.ringList.some(({ started }) => started)) this.rings.stopAll();
    await this.#pass('message', message, frame.bytes, fds, this.#back);
    closeAll(spare);
  }

  /** Descriptors to send on: those that came, or others in their place. What is kept leaves `spare`. */
  #actOn(message: Message, fds: readonly Fd[], spare: Fd[]): readonly Fd[] {
    const [fd] = fds;
    if (fd === undefined || fds.length !== 1) {
      if (message.payload?.kind === 'vring-fd') this.#steps.remove(message.name, message.payload.index);
      return fds;
    }
    if (message.payload?.kind === 'vring-fd' && this.#shared.notifications) {
      const instead = this.#steps.stepInto(message.name, message.payload.index, fd);
      if (instead === null) return fds;
      spare.splice(spare.indexOf(fd), 1, instead);
      return [instead];
    }
    if (message.name === 'SET_BACKEND_REQ_FD') {
      this.#channel?.close();
      const [ours, theirs] = UnixSocket.pair();
      this.#channel = new BackendChannel(this.#shared.reactor, ours, new UnixSocket(fd), {
        asked: (frame) => this.#asked(frame),
        told: (frame) => this.#told(frame),
      });
      spare.splice(spare.indexOf(fd), 1, theirs.fd);
      return [theirs.fd];
    }
    return fds;
  }

  /** An answer of the back end. */
  async #answered(frame: Frame): Promise<void> {
    const message = this.#take(frame, 'main', 'reply', 'back end');
    const result = this.#flow.backAnswer(message);
    const { request } = result;
    if (request?.name === 'GET_VRING_BASE' && request.payload?.kind === 'state') {
      this.rings.stop(request.payload.index);
      this.#steps.remove('SET_VRING_KICK', request.payload.index);
    }
    this.#report(result, frame);
    await this.#pass('reply', message, frame.bytes, frame.fds, this.#front);
    closeAll(frame.fds);
  }

  /** A request of the back end on its own socket. */
  #asked(frame: Frame): void {
    this.#report(this.#flow.backRequest(this.#take(frame, 'backend', 'request', 'back end')), frame);
  }

  /** The front end's answer to it. */
  #told(frame: Frame): void {
    this.#report(this.#flow.frontAnswer(this.#take(frame, 'backend', 'reply', 'front end')), frame);
  }

  #take(frame: Frame, channel: Channel, role: Role, from: Sender): Message {
    const message = decodeMessage(frame.bytes, channel, role, frame.fds.length);
    this.#shared.journal.message(this.number, channel, from, message, frame.bytes, noteFds(frame.fds));
    for (const problem of frame.problems) {
      this.#shared.journal.violation(this.number, null, { ...problem, party: from });
    }
    return message;
  }

  #report({ violations }: FlowResult, _frame: Frame): void {
    for (const violation of violations) this.#shared.journal.violation(this.number, null, violation);
  }

  /** Sends a message on, unless a rule says otherwise. */
  async #pass(
    target: 'message' | 'reply',
    message: Message,
    bytes: Uint8Array,
    fds: readonly Fd[],
    to: Connection,
  ): Promise<void> {
    const queue = message.payload !== null && 'index' in message.payload ? message.payload.index : -1;
    const decision = this.#shared.injector.decide(target, message.name, queue);
    for (const rule of decision.rules)
      this.#shared.journal.note(this.number, 'inject', `${rule}: ${message.name}`);
    if (decision.delayNs > 0) await sleep(decision.delayNs / 1e6);
    if (decision.drop) {
      this.#flow.lost(message);
      return;
    }
    to.send(bytes, fds);
    if (!decision.duplicate) return;
    if (target === 'message') this.#flow.repeated(message);
    to.send(bytes, fds);
  }

  #closed(by: Sender, reason: CloseReason): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { journal } = this.#shared;
    this.rings.stopAll();
    this.#steps.close();
    this.#channel?.close();
    journal.note(this.number, 'close', `${by}: ${reason.text}`);
    if (reason.why === 'violation') {
      const clause = reason.clause ?? 'vhost-user, Header';
      journal.violation(this.number, null, { code: 'framing', party: by, text: reason.text, clause });
    }
    for (const name of this.#flow.unanswered) journal.note(this.number, 'note', `${name} was never answered`);
    const local: CloseReason = { why: 'local', text: `the ${by} is gone` };
    this.#front.close(local);
    this.#back.close(local);
    // a message that is being handled may still look at memory
    setImmediate(() => {
      this.#memory.release();
      this.#end();
    });
  }
}
