import {
  CLAUSE,
  clauseOf,
  decodeBase,
  F_RING_PACKED,
  FLAG_REPLY,
  FLAG_VERSION,
  type Message,
  missingRequirements,
  protocolFeatureNames,
  virtioFeatureNames,
} from '@vhostlab/vhost-user';
import { queueSizeProblem } from '@vhostlab/virtqueue';
import { PendingRequests } from './pending-requests.ts';
import type { FlowRuleCode, FlowViolation, Sender } from './rules.ts';
import { SessionState } from './session-state.ts';

const REPLY_FLAGS = FLAG_VERSION | FLAG_REPLY;

/** What a message meant, for whoever acts on it. */
export interface FlowResult {
  readonly violations: readonly FlowViolation[];
  /** Of an answer: the request that it belongs to. */
  readonly request: Message | null;
}

/**
 * Follows the messages of one connection in both directions and names what breaks a rule. Keeps what was negotiated in
 * `state`. Knows nothing of memory and descriptors.
 */
export class FlowChecker {
  readonly state = new SessionState();
  readonly #main = new PendingRequests<null>();
  readonly #backend = new PendingRequests<null>();
  #violations: FlowViolation[] = [];

  /** A request of the front end. */
  frontRequest(message: Message): FlowResult {
    this.#begin(message, 'front end');
    this.#checkFeature(message, 'front end');
    this.#checkRing(message);
    this.#checkPayload(message);
    const answer = this.#answerTo(message);
    if (answer !== 'none') this.#main.add(message, answer === 'must', null);
    this.#apply(message);
    return this.#end(null);
  }

  /** A request did not reach the back end: nobody will answer it. */
  lost(message: Message): void {
    this.#main.forget(message);
  }

  /** A request reached the back end once more: it may be answered once more. */
  repeated(message: Message): void {
    const answer = this.#answerTo(message);
    if (answer !== 'none') this.#main.add(message, false, null);
  }

  /** A message of the back end on the main socket: always an answer. */
  backAnswer(message: Message): FlowResult {
    this.#begin(message, 'back end');
    const request = this.#pair(this.#main, message, 'back end');
    if (request !== null) this.#learn(request, message);
    return this.#end(request);
  }

  /** A request of the back end, on its own socket. */
  backRequest(message: Message): FlowResult {
    this.#begin(message, 'back end');
    this.#checkFeature(message, 'back end');
    const always = message.row !== undefined && message.row.reply !== null;
    if (always || message.needReply) this.#backend.add(message, always || this.state.has('REPLY_ACK'), null);
    return this.#end(null);
  }

  /** The front end's answer to it. */
  frontAnswer(message: Message): FlowResult {
    this.#begin(message, 'front end');
    return this.#end(this.#pair(this.#backend, message, 'front end'));
  }

  /** Names of requests whose answer never came. */
  get unanswered(): string[] {
    return [...this.#main.unanswered, ...this.#backend.unanswered].map(({ message }) => message.name);
  }

  #begin(message: Message, party: Sender): void {
    this.#violations = message.problems.map(({ code, text, clause }) => ({ code, party, text, clause }));
  }

  #end(request: Message | null): FlowResult {
    return { violations: this.#violations, request };
  }

  #say(code: FlowRuleCode, party: Sender, clause: string, text: string): void {
    this.#violations.push({ code, party, text, clause });
  }

  #pair(pending: PendingRequests<null>, answer: Message, party: Sender): Message | null {
    const taken = pending.take(answer.header.request);
    if (taken === undefined) {
      this.#say('reply-unasked', party, CLAUSE.header, `${answer.name} is answered, and nobody asked`);
      return null;
    }
    for (const { message } of taken.passed) {
      const text = `${answer.name} is answered before ${message.name}, which was asked first`;
      this.#say('reply-request', party, CLAUSE.header, text);
    }
    const { flags } = answer.header;
    if (flags !== REPLY_FLAGS && answer.problems.length === 0) {
      const text = `the answer to ${answer.name} has flags 0x${flags.toString(16)}, peers demand 0x5`;
      this.#say('reply-flags', party, CLAUSE.header, text);
    }
    return taken.found.message;
  }

  /** Whether a front-end request has an answer. */
  #answerTo(message: Message): 'must' | 'may' | 'none' {
    const { row, needReply, name } = message;
    const acknowledged = needReply ? (this.state.has('REPLY_ACK') ? 'must' : 'may') : 'none';
    if (needReply && !this.state.has('REPLY_ACK')) {
      this.#say(
        'need-reply-feature',
        'front end',
        CLAUSE.replyAck,
        `${name} sets need_reply without REPLY_ACK`,
      );
    }
    if (row === undefined || row.reply === null || name === 'IOTLB_MSG') return acknowledged;
    const when = 'replyWhen' in row ? row.replyWhen : undefined;
    if (when === 'postcopy') return this.state.isPostcopyAdvised ? 'may' : acknowledged;
    if (when === 'log-shmfd') return this.state.has('LOG_SHMFD') ? 'must' : acknowledged;
    return 'must';
  }

  #checkFeature(message: Message, party: Sender): void {
    const feature = message.row?.feature;
    if (feature === undefined || this.state.has(feature)) return;
    const text = `${message.name} was sent, and ${feature} was not negotiated`;
    this.#say('message-feature', party, clauseOf(message.name), text);
  }

  #checkRing({ payload, name }: Message): void {
    if (payload === null || !('index' in payload)) return;
    const { queuePairs } = this.state;
    const unlimited = queuePairs === null && (this.state.has('MQ') || name === 'SET_VRING_ENABLE');
    const rings = unlimited ? 256 : 2 * (queuePairs ?? 1);
    if (payload.index < rings) return;
    const text = `${name} names ring ${payload.index}, there are ${rings}`;
    this.#say('ring-index', 'front end', clauseOf(name), text);
  }

  #checkPayload({ payload, name }: Message): void {
    const clause = clauseOf(name);
    const { state } = this;
    if (payload?.kind === 'u64' && name === 'SET_FEATURES') {
      const extra = state.offered === null ? 0n : payload.value & ~state.offered;
      if (extra !== 0n) {
        const text = `${virtioFeatureNames(extra).join(', ')} acknowledged, but not offered`;
        this.#say('features-offered', 'front end', clause, text);
      }
    } else if (payload?.kind === 'u64' && name === 'SET_PROTOCOL_FEATURES') {
      const extra = state.protocolOffered === null ? 0n : payload.value & ~state.protocolOffered;
      if (extra !== 0n) {
        const text = `${protocolFeatureNames(extra).join(', ')} acknowledged, but not offered`;
        this.#say('protocol-features-offered', 'front end', clause, text);
      }
      for (const [feature, needed] of missingRequirements(payload.value)) {
        const text = `${feature} acknowledged without ${needed}`;
        this.#say('protocol-features-requirements', 'front end', clause, text);
      }
    } else if (payload?.kind === 'state' && name === 'SET_VRING_NUM') {
      const problem = queueSizeProblem(this.#format, payload.num);
      if (problem !== undefined) this.#say('ring-size', 'front end', clause, problem);
    } else if (payload?.kind === 'state' && name === 'SET_VRING_BASE') {
      this.#checkBase(payload.index, payload.num, clause);
    }
  }

  get #format(): 'split' | 'packed' {
    return (this.state.features & F_RING_PACKED) === 0n ? 'split' : 'packed';
  }

  #checkBase(index: number, num: number, clause: string): void {
    const base = decodeBase(this.#format, num);
    const size = this.state.rings.get(index)?.size ?? null;
    const isOutside =
      base === null ||
      (base.format === 'packed' && size !== null && (base.avail >= size || base.used >= size));
    if (!isOutside) return;
    const text = `ring ${index} of ${size ?? 'unknown'} descriptors begins at 0x${num.toString(16)}`;
    this.#say('ring-base', 'front end', clause, text);
  }

  /** What a request changes at once. */
  #apply({ payload, name }: Message): void {
    const { state } = this;
    if (payload === null) return;
    switch (name) {
      case 'SET_FEATURES':
        if (payload.kind === 'u64') state.features = payload.value;
        break;
      case 'SET_PROTOCOL_FEATURES':
        if (payload.kind === 'u64') state.protocolFeatures = payload.value;
        break;
      case 'SET_VRING_NUM':
        if (payload.kind === 'state') state.ring(payload.index).size = payload.num;
        break;
      case 'SET_VRING_BASE':
        if (payload.kind === 'state') state.ring(payload.index).base = payload.num;
        break;
      case 'SET_VRING_ADDR':
        if (payload.kind === 'addr') state.ring(payload.index).addr = payload;
        break;
      case 'SET_VRING_ENABLE':
        if (payload.kind === 'state') state.ring(payload.index).enabled = payload.num === 1;
        break;
      case 'SET_VRING_KICK':
        if (payload.kind === 'vring-fd') state.ring(payload.index).started = true;
        break;
      case 'POSTCOPY_ADVISE':
        state.isPostcopyAdvised = true;
        break;
      case 'POSTCOPY_LISTEN':
        state.isPostcopy = true;
        break;
      case 'SET_STATUS':
        if (payload.kind === 'u64' && payload.value === 0n) this.#stopAll();
        break;
      case 'RESET_OWNER':
      case 'RESET_DEVICE':
        this.#stopAll();
        break;
    }
  }

  #stopAll(): void {
    for (const ring of this.state.rings.values()) ring.started = false;
  }

  /** What an answer tells. */
  #learn(request: Message, { payload }: Message): void {
    const { state } = this;
    switch (request.name) {
      case 'GET_FEATURES':
        if (payload?.kind === 'u64') state.offered = payload.value;
        break;
      case 'GET_PROTOCOL_FEATURES':
        if (payload?.kind === 'u64') state.protocolOffered = payload.value;
        break;
      case 'GET_QUEUE_NUM':
        if (payload?.kind === 'u64') state.queuePairs = Number(payload.value & 0xffffn);
        break;
      case 'GET_MAX_MEM_SLOTS':
        if (payload?.kind === 'u64') state.memSlots = Number(payload.value & 0xffffn);
        break;
      case 'GET_VRING_BASE':
        if (request.payload?.kind === 'state') this.#stop(request.payload.index, payload);
        break;
      case 'POSTCOPY_END':
        state.isPostcopy = false;
        state.isPostcopyAdvised = false;
        break;
    }
  }

  #stop(index: number, payload: Message['payload']): void {
    const ring = this.state.ring(index);
    ring.started = false;
    if (payload?.kind === 'state') ring.base = payload.num;
  }
}
