import { create, fromBinary, type MessageInitShape, toBinary, vhostV1 } from '@vhostlab/contracts';
import type { ControlEnd, Procedure } from '@vhostlab/engine';

/** Method number of `VhostRequest` on a control channel. */
export const VHOST_METHOD = 1;

/** The cases of a request, as a message is made of. */
export type VhostRequestInit = NonNullable<MessageInitShape<typeof vhostV1.VhostRequestSchema>['request']>;

/** EOPNOTSUPP: the back end does not know the request. */
export const EOPNOTSUPP = 95;

/** Sends one request and waits for its answer. A transport status other than 0 becomes the answer's error. */
export function* vhostRequest(end: ControlEnd, request: VhostRequestInit): Procedure<vhostV1.VhostReply> {
  const body = toBinary(vhostV1.VhostRequestSchema, create(vhostV1.VhostRequestSchema, { request }));
  const ticket = yield end.request(VHOST_METHOD, body);
  const reply = fromBinary(vhostV1.VhostReplySchema, ticket.bytes);
  if (ticket.value !== 0 && reply.error === 0) reply.error = ticket.value;
  return reply;
}
