import { create, fromBinary, type MessageInitShape, toBinary, vhostV1 } from '@vhostlab/contracts';
import type { ControlEnd } from '@vhostlab/engine';
import { EINVAL, type Refusal } from './dma-mapper.ts';

/** Method number of `VhostRequest` on control channels. */
export const METHOD_VHOST = 1;

/** Answer of a request that is not refused. */
export type VhostAnswer = MessageInitShape<typeof vhostV1.VhostReplySchema>['answer'];

/** What a handler says: the answer (undefined: success without one), or why not. */
export type VhostOutcome = { answer?: VhostAnswer } | Refusal;

/** Serves vhost requests on a control channel; a body that cannot be read is refused, never acknowledged. */
export function serveVhost(
  control: ControlEnd,
  handle: (request: vhostV1.VhostRequest['request']) => VhostOutcome,
): void {
  control.onRequest((method, body, reply) => {
    const outcome =
      method === METHOD_VHOST ? decodeAndHandle(body, handle) : refuse(`Method ${method} does not exist.`);
    const error = 'error' in outcome ? outcome.error : 0;
    const message = create(vhostV1.VhostReplySchema, {
      error,
      reason: 'error' in outcome ? outcome.reason : '',
      ...('error' in outcome || outcome.answer === undefined ? {} : { answer: outcome.answer }),
    });
    reply(error, toBinary(vhostV1.VhostReplySchema, message));
  });
}

function decodeAndHandle(
  body: Uint8Array,
  handle: (request: vhostV1.VhostRequest['request']) => VhostOutcome,
): VhostOutcome {
  try {
    return handle(fromBinary(vhostV1.VhostRequestSchema, body).request);
  } catch (error) {
    return refuse(`The request cannot be carried out: ${(error as Error).message}.`);
  }
}

function refuse(reason: string): VhostOutcome {
  return { error: EINVAL, reason };
}
