import type { Fd } from '@vhostlab/host';
import {
  EMPTY,
  encodePayload,
  F_PROTOCOL_FEATURES,
  FLAG_NEED_REPLY,
  FLAG_VERSION,
  FRONT,
  type FrontName,
  frameBytes,
  frontMessage,
  type Message,
  type Payload,
  type PayloadKind,
  type PayloadOf,
  PROTOCOL_F,
} from '@vhostlab/vhost-user';
import { disconnected, fail } from '../check-ended.ts';
import type { Limits } from '../limits.ts';
import { accepted, type Reaction } from '../wire/reaction.ts';
import type { Wire } from '../wire/wire.ts';

/** A message to a back end, which may be wrong in every part. */
export interface Sent {
  readonly request: FrontName | number;
  /** Meaning, or bytes as they are; default none. */
  readonly payload?: Payload | Uint8Array;
  readonly fds?: readonly Fd[];
  /** Default: version 1, need_reply where an answer can be had. */
  readonly flags?: number;
  /** False: asks for no reply where that is optional. */
  readonly needReply?: boolean;
  /** Size that the header says; default that of the payload. */
  readonly size?: number;
}

/** What to negotiate; each is masked with what the peer offers. */
export interface Wanted {
  readonly protocol: bigint;
  readonly features: bigint;
}

const MESSAGE_PROBLEMS = new Set(['version', 'no-reply-bit', 'reserved-flags', 'size', 'fd-count']);

/** A connection to a back end under test, in which this side is the front end. */
export class FrontLink {
  readonly wire: Wire;
  readonly #limits: Limits;
  /** What the peer offers. */
  features = 0n;
  protocolOffered = 0n;
  /** What was acknowledged. */
  protocol = 0n;
  acked = 0n;
  /** Queue pairs of the peer; 1 without MQ. */
  queuePairs = 1;
  /** What was wrong with the peer's replies by themselves. */
  readonly complaints: string[] = [];

  constructor(wire: Wire, limits: Limits) {
    this.wire = wire;
    this.#limits = limits;
  }

  /** True when success and failure of every message can be seen. */
  get hasReplyAck(): boolean {
    return (this.protocol & PROTOCOL_F.REPLY_ACK) !== 0n;
  }

  /** Sends one message; false when the peer is gone. */
  send(sent: Sent): Promise<boolean> {
    return this.wire.send(this.bytes(sent), sent.fds, this.#limits.replyMs);
  }

  /** The bytes of a message. */
  bytes(sent: Sent): Uint8Array {
    const { payload = EMPTY, size } = sent;
    const request = requestNumber(sent.request);
    const body = payload instanceof Uint8Array ? payload : encodePayload(payload);
    const flags = sent.flags ?? FLAG_VERSION | (this.#asksForReply(sent) ? FLAG_NEED_REPLY : 0);
    return frameBytes({ request, flags, size: size ?? body.length }, body);
  }

  /**
   * Sends one message and a harmless question behind it, and tells from the order of the answers what became of both:
   * no wait is needed to see that no reply came.
   */
  async react(sent: Sent): Promise<Reaction> {
    const request = requestNumber(sent.request);
    const asked = this.#expectsReply(sent);
    if (!(await this.send(sent))) return { reply: null, after: 'closes', asked };
    return this.reactionTo(request, asked);
  }

  /** What became of a message that was just sent. */
  async reactionTo(request: number, asked: boolean): Promise<Reaction> {
    const barrier = request === FRONT.GET_FEATURES ? FRONT.GET_PROTOCOL_FEATURES : FRONT.GET_FEATURES;
    await this.send({ request: barrier, needReply: false });
    let reply: Reaction['reply'] = null;
    for (;;) {
      const arrival = await this.wire.next(this.#limits.replyMs);
      if (arrival.kind === 'silent') return { reply, after: 'hangs', asked };
      if (arrival.kind !== 'message') return { reply, after: 'closes', asked };
      this.#complain(arrival.message);
      if (arrival.message.header.request === barrier) return { reply, after: 'stays', asked };
      reply = replyNumber(arrival.message);
    }
  }

  /** A message that a correct back end carries out; ends the check when this one does not. */
  async must(sent: Sent): Promise<void> {
    const reaction = await this.react(sent);
    const { verdict, observed } = accepted(reaction);
    if (verdict === 'passed') return;
    const text = `${String(sent.request)} as every front end sends it: ${observed}`;
    if (verdict === 'disconnected') disconnected(text);
    fail(text);
  }

  /** A question with a reply of its own; ends the check when there is no such reply. */
  async ask<K extends PayloadKind>(sent: Sent, kind: K): Promise<PayloadOf<K>> {
    const answer = await this.tryAsk(sent);
    if (typeof answer !== 'string' && answer.payload?.kind === kind) return answer.payload as PayloadOf<K>;
    const text = `${String(sent.request)} got ${typeof answer === 'string' ? answer : 'another reply'}`;
    if (answer === 'closed') disconnected(text);
    fail(text);
  }

  /** A question with a reply of its own: the reply, or how none came. */
  async tryAsk(sent: Sent): Promise<Message | 'closed' | 'silent'> {
    const request = requestNumber(sent.request);
    if (!(await this.send(sent))) return 'closed';
    for (;;) {
      const arrival = await this.wire.next(this.#limits.replyMs);
      if (arrival.kind === 'broken') return 'closed';
      if (arrival.kind !== 'message') return arrival.kind;
      this.#complain(arrival.message);
      if (arrival.message.header.request === request) return arrival.message;
    }
  }

  /** GET_FEATURES to SET_FEATURES, as every front end begins. */
  async negotiate(wanted: Wanted, setFeatures = true): Promise<void> {
    await this.negotiateProtocol(wanted.protocol);
    await this.must({ request: 'SET_OWNER' });
    if (!setFeatures) return;
    this.acked = this.features & wanted.features;
    await this.must({ request: 'SET_FEATURES', payload: { kind: 'u64', value: this.acked } });
  }

  /** The part before SET_OWNER: both feature words and the number of queues. */
  async negotiateProtocol(wanted: bigint): Promise<void> {
    this.features = (await this.ask({ request: 'GET_FEATURES' }, 'u64')).value;
    if ((this.features & F_PROTOCOL_FEATURES) === 0n) return;
    this.protocolOffered = (await this.ask({ request: 'GET_PROTOCOL_FEATURES' }, 'u64')).value;
    const value = this.protocolOffered & wanted;
    // whether a reply to this very message may be asked for is not known yet
    await this.must({ request: 'SET_PROTOCOL_FEATURES', payload: { kind: 'u64', value }, needReply: false });
    this.protocol = value;
    if ((value & PROTOCOL_F.MQ) === 0n) return;
    this.queuePairs = Number((await this.ask({ request: 'GET_QUEUE_NUM' }, 'u64')).value);
  }

  #asksForReply({ request, needReply }: Sent): boolean {
    if (needReply === false || !this.hasReplyAck) return false;
    return !this.#hasOwnReply(requestNumber(request)) || request === 'IOTLB_MSG';
  }

  #expectsReply(sent: Sent): boolean {
    if (this.#hasOwnReply(requestNumber(sent.request))) return true;
    if (sent.flags !== undefined) return (sent.flags & FLAG_NEED_REPLY) !== 0 && this.hasReplyAck;
    return this.#asksForReply(sent);
  }

  /** The message has a reply that comes without need_reply. Postcopy, which adds some, is never begun here. */
  #hasOwnReply(request: number): boolean {
    const row = frontMessage(request);
    if (row === undefined || row.reply === null || row.replyWhen === 'postcopy') return false;
    return row.replyWhen === undefined || (this.protocol & PROTOCOL_F.LOG_SHMFD) !== 0n;
  }

  #complain({ name, problems }: Message): void {
    for (const { code, text } of problems) {
      if (MESSAGE_PROBLEMS.has(code) && this.complaints.length < 4) this.complaints.push(text);
    }
    if (name === 'nothing') this.complaints.push('bytes that are no message');
  }
}

/**
 * Messages with a reply of their own that says success or failure. The one to SET_LOG_BASE does not: peers send no bytes,
 * or eight of anything.
 */
const TELLING: ReadonlySet<string> = new Set(['IOTLB_MSG', 'CHECK_DEVICE_STATE', 'SET_DEVICE_STATE_FD']);

/** The number in a reply that says success or failure. */
function replyNumber({ header, name, payload }: Message): bigint | 'other' {
  const hasOwn = (frontMessage(header.request)?.reply ?? null) !== null;
  const isPostcopy = frontMessage(header.request)?.replyWhen === 'postcopy';
  if (hasOwn && !isPostcopy && !TELLING.has(name)) return 'other';
  if (payload?.kind === 'u64') return payload.value;
  return payload?.kind === 'state-fd' ? BigInt(payload.error) : 'other';
}

function requestNumber(request: FrontName | number): number {
  return typeof request === 'number' ? request : FRONT[request];
}
