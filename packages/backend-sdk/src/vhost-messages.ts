import { create, fromBinary, type MessageInitShape, toBinary, vhostV1 } from '@vhostlab/contracts';
import type { ControlEnd, Procedure, Ticket } from '@vhostlab/engine';

/** Method number of VhostRequest on a control channel. */
export const METHOD_VHOST = 1;

/** Error numbers of Linux that answers carry. */
export const EPERM = 1;
export const EBUSY = 16;
export const EINVAL = 22;
export const EOPNOTSUPP = 95;

/** A decoded request: `case` and `value`. */
export type VhostRequestCase = vhostV1.VhostRequest['request'];
/** A request as it is written down: absent fields are zero. */
export type VhostRequestInit = NonNullable<MessageInitShape<typeof vhostV1.VhostRequestSchema>['request']>;
export type VhostReply = vhostV1.VhostReply;
/** An answer as it is written down; without `error` it is a success. */
export type VhostReplyInit = MessageInitShape<typeof vhostV1.VhostReplySchema>;

/** The device reads and writes the mapped memory. */
export const ACCESS_BOTH = vhostV1.Access.READ_WRITE;

/** Sends a request; `readVhostReply` reads the completed ticket. */
export function sendVhostRequest(end: ControlEnd, request: VhostRequestInit): Ticket {
  return end.request(
    METHOD_VHOST,
    toBinary(vhostV1.VhostRequestSchema, create(vhostV1.VhostRequestSchema, { request })),
  );
}

/** The answer that a ticket of `sendVhostRequest` brought. */
export function readVhostReply(ticket: Ticket): VhostReply {
  const reply = fromBinary(vhostV1.VhostReplySchema, ticket.bytes);
  if (reply.error === 0 && ticket.value !== 0) reply.error = ticket.value;
  return reply;
}

/** Sends a request and waits for its answer. */
export function* askVhost(end: ControlEnd, request: VhostRequestInit): Procedure<VhostReply> {
  return readVhostReply(yield sendVhostRequest(end, request));
}

/**
 * Serves requests: `handle` answers each one, at once or later, exactly once. What is no VhostRequest is refused
 * before.
 */
export function serveVhost(
  end: ControlEnd,
  handle: (request: VhostRequestCase, answer: (reply: VhostReplyInit) => void) => void,
): void {
  end.onRequest((method, body, reply) => {
    const answer = (init: VhostReplyInit) => {
      const message = create(vhostV1.VhostReplySchema, init);
      reply(message.error, toBinary(vhostV1.VhostReplySchema, message));
    };
    let request: VhostRequestCase;
    try {
      if (method !== METHOD_VHOST) throw new Error(`method ${method} does not exist`);
      request = fromBinary(vhostV1.VhostRequestSchema, body).request;
    } catch (error) {
      answer({ error: EINVAL, reason: `not a VhostRequest: ${(error as Error).message}` });
      return;
    }
    handle(request, answer);
  });
}
