import {
  type Client,
  type framesV1,
  type MessageInitShape,
  MessageQueue,
  type MessageShape,
} from '@vhostlab/contracts';
import type { LinkStream } from './link-session.ts';

type Request = MessageShape<typeof framesV1.CarryRequestSchema>;
type Response = MessageInitShape<typeof framesV1.CarryResponseSchema>;

const NONE = new Uint8Array();

/** How long the other side may take to end a stream that this one has ended. */
const END_MS = 1000;

/** The stream of the side that opens it. Sending never rejects: what fails shows in what arrives. */
export function dialedStream(client: Client<typeof framesV1.FrameLinkService>): LinkStream {
  const call = client.carry();
  let isEnded = false;
  return {
    incoming: call,
    send: (message, frames = NONE) => call.send({ message, frames }).catch(() => undefined),
    end: () => {
      if (isEnded) return;
      isEnded = true;
      call.closeSend();
      setTimeout(() => call.cancel(), END_MS).unref();
    },
  };
}

/** The stream of the side that is called; `answers` is what its handler returns. */
export function acceptedStream(incoming: AsyncIterable<Request>): {
  stream: LinkStream;
  answers: MessageQueue<Response>;
} {
  const answers = new MessageQueue<Response>();
  const stream: LinkStream = {
    incoming,
    send: (message, frames = NONE) =>
      answers.push({ message: message as NonNullable<Response['message']>, frames }),
    end: () => answers.end(),
  };
  return { stream, answers };
}
