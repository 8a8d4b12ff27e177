import { type BackMessage, backMessage } from '../registry/back-messages.ts';
import { type FrontMessage, frontMessage } from '../registry/front-messages.ts';
import type { PayloadKind } from '../registry/kinds.ts';
import { decodePayload, isProblem } from './decode-payload.ts';
import { encodePayload } from './encode-payload.ts';
import {
  decodeHeader,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  FLAG_VERSION,
  FLAG_VERSION_MASK,
  frameBytes,
  type Header,
} from './header.ts';
import { HEADER_BYTES } from './layouts.ts';
import type { Payload } from './payload.ts';
import { CLAUSE, clauseOf, type Problem, problem } from './problem.ts';

/**
 * Which socket a message travels on, and so which table its number belongs to: `main`, where the front end asks, or
 * `backend`, the socket of SET_BACKEND_REQ_FD, where the back end asks.
 */
export type Channel = 'main' | 'backend';

/** A request, or the answer to one. */
export type Role = 'request' | 'reply';

/** One message with its meaning. */
export interface Message {
  readonly channel: Channel;
  readonly role: Role;
  readonly header: Header;
  /** Name without VHOST_USER_ or VHOST_USER_BACKEND_ in front; `request N` for a number that nobody defined. */
  readonly name: string;
  /** Its row of the registry. */
  readonly row: FrontMessage | BackMessage | undefined;
  readonly needReply: boolean;
  /** Null when its bytes are no such payload: then a problem says why. */
  readonly payload: Payload | null;
  /** Descriptors that came with it. */
  readonly fdCount: number;
  /** What is wrong with it by itself, in the order of the header's fields. */
  readonly problems: readonly Problem[];
}

/** The row of a number on a channel. */
export function messageRow(channel: Channel, request: number): FrontMessage | BackMessage | undefined {
  return channel === 'main' ? frontMessage(request) : backMessage(request);
}

/** Name for logs of a number on a channel. */
export function messageName(channel: Channel, request: number): string {
  const row = messageRow(channel, request);
  if (row === undefined) return `request ${request}`;
  return channel === 'main' ? row.name : `BACKEND_${row.name}`;
}

/** Reads one whole message, header and payload, that came with `fdCount` descriptors. Never throws. */
export function decodeMessage(bytes: Uint8Array, channel: Channel, role: Role, fdCount = 0): Message {
  if (bytes.length < HEADER_BYTES) return shortMessage(bytes, channel, role, fdCount);
  const header = decodeHeader(bytes);
  const name = messageName(channel, header.request);
  const row = messageRow(channel, header.request);
  const problems = headerProblems(header, name, role);
  // the answer to an unknown request is a proper one: it says no
  if (row === undefined && role === 'request') {
    problems.push(
      problem('unknown-request', CLAUSE.header, `${header.request} is no request of the ${channel} socket`),
    );
  }
  let payload: Payload | null = null;
  if (bytes.length !== HEADER_BYTES + header.size) {
    problems.push(
      problem(
        'short-payload',
        CLAUSE.header,
        `${name} says ${header.size} bytes, ${bytes.length - HEADER_BYTES} are there`,
      ),
    );
  } else {
    const kind = payloadKind(row, role, header.size);
    const result = decodePayload(kind, bytes.subarray(HEADER_BYTES), role === 'reply');
    if (isProblem(result))
      problems.push({ ...result, text: `${name}: ${result.text}`, clause: clauseOf(name) });
    else payload = result;
  }
  if (row !== undefined) problems.push(...fdProblems(row, name, role, payload, fdCount));
  if (payload?.kind === 'vring-fd' && payload.reserved !== 0n) {
    problems.push(
      problem(
        'reserved-bits',
        clauseOf(name),
        `${name} sets bits above 8: 0x${payload.reserved.toString(16)}`,
      ),
    );
  }
  const needReply = role === 'request' && (header.flags & FLAG_NEED_REPLY) !== 0;
  return { channel, role, header, name, row, needReply, payload, fdCount, problems };
}

function shortMessage(bytes: Uint8Array, channel: Channel, role: Role, fdCount: number): Message {
  const text = `a header has ${HEADER_BYTES} bytes, ${bytes.length} are there`;
  return {
    channel,
    role,
    header: { request: 0, flags: 0, size: 0 },
    name: 'nothing',
    row: undefined,
    needReply: false,
    payload: null,
    fdCount,
    problems: [problem('short-header', CLAUSE.header, text)],
  };
}

function headerProblems(header: Header, name: string, role: Role): Problem[] {
  const problems: Problem[] = [];
  const { flags } = header;
  if ((flags & FLAG_VERSION_MASK) !== FLAG_VERSION) {
    problems.push(
      problem('version', CLAUSE.header, `${name} has version ${flags & FLAG_VERSION_MASK}, not 1`),
    );
  }
  if (role === 'request' && (flags & FLAG_REPLY) !== 0) {
    problems.push(problem('reply-bit', CLAUSE.header, `${name} is marked as a reply, and nothing was asked`));
  }
  if (role === 'reply' && (flags & FLAG_REPLY) === 0) {
    problems.push(problem('no-reply-bit', CLAUSE.header, `${name} is an answer without the reply bit`));
  }
  const allowed = FLAG_VERSION_MASK | FLAG_REPLY | (role === 'request' ? FLAG_NEED_REPLY : 0);
  if ((flags & ~allowed) !== 0) {
    problems.push(problem('reserved-flags', CLAUSE.header, `${name} has flags 0x${flags.toString(16)}`));
  }
  return problems;
}

/** Kind of the payload; a number without a row has opaque bytes, or an acknowledgement as its answer. */
function payloadKind(row: FrontMessage | BackMessage | undefined, role: Role, size: number): PayloadKind {
  if (role === 'request') return row?.payload ?? 'opaque';
  if (row === undefined || row.reply === null) return 'u64';
  const isConditional = 'replyWhen' in row && row.replyWhen !== undefined;
  return isConditional && size === 8 ? 'u64' : row.reply;
}

function fdProblems(
  row: FrontMessage | BackMessage,
  name: string,
  role: Role,
  payload: Payload | null,
  has: number,
): Problem[] {
  let [least, most] = role === 'request' ? row.fds : (row.replyFds ?? [0, 0]);
  if (role === 'request' && payload?.kind === 'mem-table') least = most = payload.regions.length;
  if (role === 'request' && payload?.kind === 'vring-fd') least = most = payload.noFd ? 0 : 1;
  if (has >= least && has <= most) return [];
  const wants = least === most ? String(least) : `${least} to ${most}`;
  return [problem('fd-count', clauseOf(name), `${name} came with ${has} descriptors, ${wants} belong to it`)];
}

/** What a message says, before it is bytes. */
export interface Draft {
  readonly request: number;
  readonly payload: Payload;
  /** Default request. */
  readonly role?: Role;
  readonly needReply?: boolean;
}

/** The bytes of a message: header and payload in one piece. A reply has the flags 0x5 exactly, as QEMU and DPDK demand. */
export function encodeMessage(draft: Draft): Uint8Array {
  const payload = encodePayload(draft.payload);
  const role = draft.role === 'reply' ? FLAG_REPLY : 0;
  const needReply = draft.needReply === true ? FLAG_NEED_REPLY : 0;
  const flags = FLAG_VERSION | role | needReply;
  return frameBytes({ request: draft.request, flags, size: payload.length }, payload);
}
