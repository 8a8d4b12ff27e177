import { closeAll, type Fd, monotonicMs, type Reactor, sleep, type UnixSocket } from '@vhostlab/host';
import {
  type CloseReason,
  Connection,
  decodeMessage,
  type Frame,
  HostSocket,
  type Message,
} from '@vhostlab/vhost-user';
import { FlowChecker } from '../flow/flow-checker.ts';
import type { FlowViolation } from '../flow/rules.ts';
import { answerDifference, describe } from './answers.ts';
import { BackendRequests } from './backend-requests.ts';
import type { ReplayOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import type { ReplayPlan, SessionPlan } from './plan.ts';
import { ReplayFds } from './replay-fds.ts';
import { ReplayMemory } from './replay-memory.ts';
import { ReplayRings } from './replay-rings.ts';
import { stopsRings } from './step-order.ts';
import type { Answered, MessageStep, Step } from './steps.ts';

/** Turns of the event loop before a wait sleeps. */
const SPINS = 100;
/** How long an answer is waited for that the recorded back end did not give. */
const UNRECORDED_MS = 50;
/** How long rings are looked at when everything is played: a device may do more than it was asked for. */
const LINGER_MS = 20;
/** Shorter pauses of the record are not worth a timer. */
const SHORT_MS = 1;

interface LiveAnswer {
  readonly message: Message;
  readonly fds: readonly Fd[];
}

/** What one connection needs besides its plan. */
export interface ReplaySurroundings {
  readonly plan: ReplayPlan;
  readonly options: ReplayOptions;
  readonly reactor: Reactor;
  readonly outcome: Outcome;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** One connection of the recorded front end, played again. */
export class ReplaySession {
  readonly #plan: SessionPlan;
  readonly #shared: ReplaySurroundings;
  readonly #outcome: Outcome;
  readonly #connection: Connection;
  readonly #flow = new FlowChecker();
  readonly #memory = new ReplayMemory();
  readonly #fds: ReplayFds;
  readonly #rings: ReplayRings;
  readonly #answers = new Map<Message, LiveAnswer>();
  #channel: BackendRequests | null = null;
  #closed: CloseReason | null = null;
  #isOver = false;

  /** Takes over the socket. */
  constructor(socket: UnixSocket, plan: SessionPlan, shared: ReplaySurroundings) {
    this.#plan = plan;
    this.#shared = shared;
    this.#outcome = shared.outcome;
    this.#fds = new ReplayFds(this.#memory, (channel) => {
      this.#channel?.close();
      const say = (violation: FlowViolation) => this.#say(violation);
      this.#channel = new BackendRequests(channel, shared.reactor, plan, this.#flow, say);
    });
    const until = (holds: () => boolean, ms: number) => this.#until(holds, ms);
    this.#rings = new ReplayRings(
      this.#memory,
      shared.plan.memory,
      this.#fds,
      this.#outcome,
      until,
      shared.options,
      () => this.#closed === null && !shared.signal.aborted,
    );
    this.#connection = new Connection(new HostSocket(socket, shared.reactor), {
      frame: (frame) => this.#answered(frame),
      closed: (reason) => {
        this.#closed = reason;
      },
    });
  }

  /** Plays everything, or as much as the back end lets it, and gives everything back. Throws a RecordError. */
  async run(): Promise<void> {
    try {
      await this.#playAll();
      await this.#rings.settle();
      await this.#until(() => this.#rings.isSent, this.#closed === null ? UNRECORDED_MS : 0);
      await this.#until(() => this.#rings.areStopped, this.#isOver ? 0 : LINGER_MS);
    } finally {
      this.#connection.close({ why: 'local', text: 'everything is played' });
      this.#channel?.close();
      for (const { fds } of this.#answers.values()) closeAll(fds);
      this.#rings.count();
      this.#fds.close();
      this.#memory.release();
    }
  }

  async #playAll(): Promise<void> {
    const { steps } = this.#plan;
    const { options, signal } = this.#shared;
    const start = monotonicMs();
    const first = steps[0]?.t ?? 0;
    for (let at = 0; at < steps.length && !this.#isOver && !signal.aborted; at++) {
      const step = steps[at]!;
      if (options.speed === 'recorded') {
        const wait = (step.t - first) / 1e6 - (monotonicMs() - start);
        if (wait > SHORT_MS) await this.#until(() => false, wait);
      }
      if (this.#closed !== null) {
        this.#tellClosed(this.#closed, steps.slice(at));
        return;
      }
      if (step.kind === 'message') await this.#send(step);
      else await this.#rings.play(step);
    }
  }

  async #send(step: MessageStep): Promise<void> {
    const { message } = step;
    this.#rings.publish();
    if (stopsRings(message)) await this.#rings.settle();
    if (ReplayMemory.isChange(message) && message.name !== 'ADD_MEM_REG') {
      this.#rings.look();
      this.#rings.parkAll();
    }
    const fds = this.#fds.of(step);
    if (ReplayMemory.isChange(message)) {
      for (const problem of this.#memory.apply(message, fds)) this.#outcome.notes.add(problem);
    }
    this.#flow.frontRequest(message);
    this.#connection.send(step.bytes, fds);
    this.#fds.sent(step);
    this.#outcome.counts.messages++;
    await this.#compare(step);
  }

  async #compare(step: MessageStep): Promise<void> {
    const { message, answer } = step;
    if (answer === null && !asksForAnswer(message)) return;
    const { timeoutMs } = this.#shared.options;
    const came = () => this.#answers.has(message) || this.#closed !== null;
    await this.#until(came, answer === null ? Math.min(UNRECORDED_MS, timeoutMs) : timeoutMs);
    const live = this.#answers.get(message);
    this.#answers.delete(message);
    if (live !== undefined) this.#judge(message, live, answer);
    else if (answer !== null && this.#closed === null && !this.#shared.signal.aborted) {
      const text = `the back end did not answer within ${timeoutMs} ms, recorded ${describe(answer.message)}`;
      this.#outcome.differs(message.name, text);
      this.#isOver = true;
    } else if (answer !== null && this.#closed !== null) {
      const text = `the back end closed the connection (${this.#closed.text}), recorded ${describe(answer.message)}`;
      this.#outcome.differs(message.name, text);
      this.#isOver = true;
    }
  }

  #judge(asked: Message, { message, fds }: LiveAnswer, recorded: Answered | null): void {
    if (recorded === null) {
      this.#outcome.differs(asked.name, `the back end answered ${describe(message)}, recorded no answer`);
      closeAll(fds);
      return;
    }
    const text = answerDifference(asked, message, fds.length, recorded);
    if (text !== null) this.#outcome.differs(asked.name, text);
    if (asked.name === 'GET_VRING_BASE') this.#judgeBase(message);
    fds.forEach((fd, at) => {
      const note = recorded.fds[at];
      if (note === undefined) fd.close();
      else this.#memory.adopt(note, fd);
    });
  }

  #judgeBase({ payload }: Message): void {
    if (payload?.kind !== 'state') return;
    this.#rings.look();
    const problem = this.#rings.ring(payload.index)?.baseProblem(payload.num) ?? null;
    if (problem !== null) this.#outcome.differs('GET_VRING_BASE', `ring ${payload.index}: ${problem}`);
  }

  /** A frame on the main socket. */
  #answered(frame: Frame): void {
    const message = decodeMessage(frame.bytes, 'main', 'reply', frame.fds.length);
    for (const problem of frame.problems) this.#say({ ...problem, party: 'back end' });
    const { violations, request } = this.#flow.backAnswer(message);
    for (const violation of violations) if (violation.party === 'back end') this.#say(violation);
    if (request === null) closeAll(frame.fds);
    else this.#answers.set(request, { message, fds: frame.fds });
  }

  #say(violation: FlowViolation): void {
    this.#outcome.violation({ ...violation, queue: null }, true);
  }

  #tellClosed({ why, text, clause }: CloseReason, left: readonly Step[]): void {
    this.#isOver = true;
    if (why === 'violation') {
      this.#say({ code: 'framing', party: 'back end', text, clause: clause ?? 'vhost-user, Header' });
    }
    const next = left.find(({ kind }) => kind === 'message' || kind === 'offer' || kind === 'kick');
    if (next === undefined) return;
    const what = next.kind === 'message' ? next.message.name : `ring ${next.queue}`;
    this.#outcome.differs(what, `the connection ended before it (${text}), the recorded one went on`);
  }

  /** Looks at the rings until `holds`, for `ms` at most, or until the connection ends. */
  async #until(holds: () => boolean, ms: number): Promise<boolean> {
    const { signal } = this.#shared;
    const end = monotonicMs() + ms;
    for (let turn = 0; ; turn++) {
      this.#rings.look();
      if (holds()) return true;
      if (this.#closed !== null || signal.aborted) return false;
      this.#rings.kickWhereAsked();
      const left = end - monotonicMs();
      if (left <= 0) return false;
      if (turn < SPINS) await new Promise((resolve) => setImmediate(resolve));
      else await sleep(Math.min(1, left));
    }
  }
}

/** True when a back end that keeps to the protocol answers the request whatever was negotiated, or may have to. */
function asksForAnswer({ needReply, row }: Message): boolean {
  if (needReply) return true;
  return row !== undefined && row.reply !== null && !('replyWhen' in row && row.replyWhen !== undefined);
}
