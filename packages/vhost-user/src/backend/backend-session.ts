import { decodeMessage, encodeMessage, type Message } from '../codec/message.ts';
import { type Payload, u64Payload } from '../codec/payload.ts';
import { clauseOf } from '../codec/problem.ts';
import { type CloseReason, Connection } from '../connection/connection.ts';
import type { Frame } from '../connection/frame-reader.ts';
import type { Fd } from '../fd.ts';
import { FRONT_MESSAGES, type FrontMessage } from '../registry/front-messages.ts';
import { PROTOCOL_F } from '../registry/protocol-features.ts';
import { BackendState, STATUS_NEEDS_RESET } from './backend-state.ts';
import { endSession } from './end-session.ts';
import { FdBag } from './fd-bag.ts';
import { type Handler, isRefusal, type Outcome } from './handler.ts';
import { DEVICE_STATE } from './handlers/device-state.ts';
import { INFLIGHT } from './handlers/inflight.ts';
import { IOTLB } from './handlers/iotlb.ts';
import { LOG } from './handlers/log.ts';
import { MEMORY } from './handlers/memory.ts';
import { NEGOTIATION } from './handlers/negotiation.ts';
import { NET } from './handlers/net.ts';
import { RINGS } from './handlers/rings.ts';
import { STATUS } from './handlers/status.ts';
import { offerProblem } from './offer.ts';
import { type Refusal, refuse } from './refusal.ts';
import { alwaysCloses, failedReply, staysSilent } from './refusal-policy.ts';
import type { BackendControl, BackendSessionOptions, SessionCounters } from './session-api.ts';

const HANDLERS = new Map<string, Handler>(
  [NEGOTIATION, STATUS, RINGS, MEMORY, LOG, INFLIGHT, NET, IOTLB, DEVICE_STATE]
    .flat()
    .map((handler) => [handler.name, handler]),
);

/** Messages that a back end of this project handles, in the order of their numbers. */
export const BACKEND_MESSAGES: readonly FrontMessage[] = FRONT_MESSAGES.filter((row) =>
  HANDLERS.has(row.name),
);

/**
 * The back end's side of one vhost-user connection: handles messages strictly one after the other, keeps the state of
 * the protocol, drives a BackendDevice. A refused message is never acknowledged as success; whatever the peer sends,
 * nothing throws and every descriptor and mapping is given back.
 */
export class BackendSession implements BackendControl {
  readonly finished: Promise<CloseReason>;
  readonly #state: BackendState;
  readonly #connection: Connection;
  readonly #messages: Record<string, number> = {};
  readonly #refusals: Record<string, number> = {};
  #working: Promise<void> = Promise.resolve();
  #resolve!: (reason: CloseReason) => void;

  /** Takes over the socket. Throws a RangeError that names what the device offers and no session can keep. */
  constructor(options: BackendSessionOptions) {
    const problem = offerProblem(options.device.offer);
    if (problem !== null) throw new RangeError(problem);
    this.#state = new BackendState(options);
    this.finished = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#connection = new Connection(options.socket, {
      frame: (frame) => {
        this.#working = this.#handle(frame);
        return this.#working;
      },
      hangup: () => this.#state.transfer?.abort(),
      closed: (reason) => void this.#end(reason),
    });
  }

  close(reason: CloseReason): void {
    this.#connection.close(reason);
  }

  requestTranslation(iova: number, permission: number): void {
    this.#state.channel?.requestTranslation(iova, permission);
  }

  configChanged(): boolean {
    return this.#state.hasProtocol('CONFIG') && (this.#state.channel?.configChanged() ?? false);
  }

  needsReset(): void {
    const state = this.#state;
    if (state.hasProtocol('STATUS') && state.status !== null) state.status |= STATUS_NEEDS_RESET;
    this.configChanged();
  }

  callInBand(index: number): boolean {
    return this.#state.hasProtocol('INBAND_NOTIFICATIONS') && (this.#state.channel?.call(index) ?? false);
  }

  errInBand(index: number): boolean {
    return this.#state.hasProtocol('INBAND_NOTIFICATIONS') && (this.#state.channel?.err(index) ?? false);
  }

  counters(): SessionCounters {
    const { strayFds } = this.#connection.counters;
    return { messages: { ...this.#messages }, refusals: { ...this.#refusals }, strayFds };
  }

  async #handle(frame: Frame): Promise<void> {
    const message = decodeMessage(frame.bytes, 'main', 'request', frame.fds.length);
    // a peer could invent numbers without end: those that nobody defined count as one
    const name = message.row === undefined ? 'unknown' : message.name;
    this.#messages[name] = (this.#messages[name] ?? 0) + 1;
    this.#state.observer.received?.(message);
    const fds = new FdBag(frame.fds);
    let outcome: Outcome;
    try {
      outcome = frameProblem(message, frame) ?? this.#notAllowed(message) ?? (await this.#run(message, fds));
    } finally {
      fds.close();
    }
    if (isRefusal(outcome)) this.#refuse(message, outcome);
    else if (outcome !== null) this.#answer(message, outcome.reply, outcome.fds);
    else if (message.needReply) this.#answer(message, u64Payload(0));
  }

  #run(message: Message, fds: FdBag): Promise<Outcome> {
    const handler = HANDLERS.get(message.name);
    if (handler === undefined) throw new Error(`${message.name} was allowed and has no handler`);
    return handler.run(this.#state, message.payload!, fds);
  }

  #notAllowed({ name, row }: Message): Refusal | null {
    const { feature } = row as FrontMessage;
    if (feature !== undefined && (this.#state.protocolFeatures & PROTOCOL_F[feature]) === 0n) {
      return refuse('not-negotiated', clauseOf(name), `${name} needs ${feature}, which is not negotiated`);
    }
    return HANDLERS.has(name) ? null : refuse('unsupported', clauseOf(name), `${name} is not supported`);
  }

  #answer(message: Message, payload: Payload, fds: readonly Fd[] = []): void {
    this.#state.observer.answered?.(message, payload);
    this.#connection.send(encodeMessage({ request: message.header.request, payload, role: 'reply' }), fds);
    for (const fd of fds) fd.close();
  }

  /** Tells of a refusal where the protocol has a way, and ends the connection where silence would mislead. */
  #refuse(message: Message, refusal: Refusal): void {
    this.#refusals[refusal.code] = (this.#refusals[refusal.code] ?? 0) + 1;
    const told = alwaysCloses(refusal.code) ? null : refusalReply(message);
    const silent = staysSilent(message.name, refusal.code);
    const closes = refusal.fatal === true || alwaysCloses(refusal.code) || (told === null && !silent);
    this.#state.observer.refused?.(message, refusal, closes);
    if (told !== null) this.#answer(message, told);
    if (closes) {
      const text = `${message.name} was refused: ${refusal.text}`;
      this.#connection.close({ why: 'violation', text, clause: refusal.clause });
    }
  }

  async #end(reason: CloseReason): Promise<void> {
    await this.#working.catch(() => {});
    let why = reason;
    try {
      await endSession(this.#state);
    } catch (error) {
      const text = `giving everything back failed: ${error instanceof Error ? error.message : error}`;
      why = { why: 'failure', text, error };
    }
    this.#resolve(why);
  }
}

/** What was wrong with a message before anybody looks at what it means. */
function frameProblem(message: Message, frame: Frame): Refusal | null {
  return message.problems[0] ?? frame.problems[0] ?? null;
}

/** How a refusal is told; null: there is no way, because no answer is awaited or it cannot say so. */
function refusalReply(message: Message): Payload | null {
  const row = message.row as FrontMessage | undefined;
  const hasOwnReply = row !== undefined && row.reply !== null && row.replyWhen !== 'postcopy';
  if (hasOwnReply) return failedReply(row.name, message.payload);
  return message.needReply ? u64Payload(1) : null;
}
