import { create, fromBinary, type MessageInitShape, toBinary, vhostV1 } from '@vhostlab/contracts';
import type { ControlEnd, Procedure } from '@vhostlab/engine';

/** Number of the vhost contract's only method. */
const METHOD_VHOST = 1;

/** A request of the VMM as plain data. */
export type VhostRequestInit = MessageInitShape<typeof vhostV1.VhostRequestSchema>['request'];

/** Sends one request and waits for its answer. */
export function* vhostRequest(end: ControlEnd, request: VhostRequestInit): Procedure<vhostV1.VhostReply> {
  const message = create(vhostV1.VhostRequestSchema, request === undefined ? {} : { request });
  const ticket = end.request(METHOD_VHOST, toBinary(vhostV1.VhostRequestSchema, message));
  yield ticket;
  return fromBinary(vhostV1.VhostReplySchema, ticket.bytes);
}
