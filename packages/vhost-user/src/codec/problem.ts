/** What can be wrong with one message by itself, whatever the state of the session. */
export type ProblemCode =
  | 'short-header'
  | 'short-payload'
  | 'version'
  | 'reply-bit'
  | 'no-reply-bit'
  | 'reserved-flags'
  | 'unknown-request'
  | 'size'
  | 'fd-count'
  | 'region-count'
  | 'reserved-bits';

/** Something that a peer did wrong: data, never an exception. */
export interface Problem<Code extends string = ProblemCode> {
  readonly code: Code;
  /** One sentence with the figures. */
  readonly text: string;
  /** Section of the specification that says so. */
  readonly clause: string;
}

/** Makes a problem. */
export function problem<Code extends string>(code: Code, clause: string, text: string): Problem<Code> {
  return { code, text, clause };
}

/** Sections of docs/interop/vhost-user.rst that problems name. */
export const CLAUSE = {
  header: 'vhost-user, Header',
  payload: 'vhost-user, Payload',
  regions: 'vhost-user, Memory regions description',
  ancillary: 'vhost-user, Communication: ancillary data',
  replyAck: 'vhost-user, VHOST_USER_PROTOCOL_F_REPLY_ACK',
} as const;

/** The clause of one message type. */
export function clauseOf(name: string): string {
  return `vhost-user, VHOST_USER_${name}`;
}
