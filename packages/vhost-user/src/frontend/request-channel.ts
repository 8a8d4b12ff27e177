import { decodeMessage, encodeMessage, type Message } from '../codec/message.ts';
import { IOTLB_ACCESS_FAIL, IOTLB_MISS, u64Payload } from '../codec/payload.ts';
import { Connection } from '../connection/connection.ts';
import type { Frame } from '../connection/frame-reader.ts';
import type { MessageSocket } from '../connection/message-socket.ts';
import type { BackName } from '../registry/back-messages.ts';
import { PROTOCOL_F } from '../registry/protocol-features.ts';
import type { BackendRequests, FrontendObserver } from './session-api.ts';

/** What a request channel needs to know of the session. */
export interface RequestChannelOptions {
  readonly socket: MessageSocket;
  readonly requests: BackendRequests;
  readonly observer: FrontendObserver;
  readonly protocolFeatures: bigint;
  /** Rings that exist. */
  readonly rings: number;
}

type Handler = (requests: BackendRequests, message: Message, rings: number) => Promise<string | null>;

/** Only what a front end can be asked here; every other request is refused. */
const HANDLERS: { readonly [N in BackName]?: Handler } = {
  IOTLB_MSG: async ({ iotlb }, { payload }) => {
    if (payload?.kind !== 'iotlb') return 'no IOTLB message';
    if (payload.type !== IOTLB_MISS && payload.type !== IOTLB_ACCESS_FAIL) {
      return `type ${payload.type} is not for a front end: 1 and 4 are`;
    }
    return iotlb === undefined ? 'this front end translates nothing' : iotlb(payload);
  },
  CONFIG_CHANGE_MSG: async ({ configChanged }) => (configChanged === undefined ? null : configChanged()),
  VRING_CALL: async ({ call }, { payload }, rings) => {
    if (payload?.kind !== 'state' || payload.index >= rings) return `no such ring: there are ${rings}`;
    call?.(payload.index);
    return null;
  },
  VRING_ERR: async ({ err }, { payload }, rings) => {
    if (payload?.kind !== 'state' || payload.index >= rings) return `no such ring: there are ${rings}`;
    err?.(payload.index);
    return null;
  },
};

/** Requests of back ends that a front end here carries out. */
export const FRONTEND_REQUESTS: readonly string[] = Object.keys(HANDLERS);

/**
 * The socket on which the back end asks. Requests are handled one after the other, so a flood waits in the socket. A
 * malformed request, or one that is refused and cannot be told so, closes this socket; the main one goes on, as in QEMU.
 */
export class RequestChannel {
  readonly #options: RequestChannelOptions;
  readonly #connection: Connection;

  constructor(options: RequestChannelOptions) {
    this.#options = options;
    this.#connection = new Connection(options.socket, {
      frame: (frame) => this.#handle(frame),
      closed: ({ why, text }) => {
        if (why !== 'local') options.observer.note?.(`the back-end channel ended: ${text}`);
      },
    });
  }

  get isClosed(): boolean {
    return this.#connection.closed !== null;
  }

  close(): void {
    this.#connection.close({ why: 'local', text: 'the session has ended' });
  }

  async #handle(frame: Frame): Promise<void> {
    for (const fd of frame.fds) fd.close();
    const message = decodeMessage(frame.bytes, 'backend', 'request', frame.fds.length);
    this.#options.observer.requested?.(message);
    const malformed = message.problems.find(({ code }) => code !== 'unknown-request') ?? frame.problems[0];
    if (malformed !== undefined) {
      this.#connection.close({ why: 'violation', text: malformed.text, clause: malformed.clause });
      return;
    }
    const refusal = await this.#answerTo(message);
    if (refusal !== null) this.#options.observer.note?.(`${message.name} was refused: ${refusal}`);
    if (message.needReply) {
      const payload = u64Payload(refusal === null ? 0 : 1);
      this.#connection.send(encodeMessage({ request: message.header.request, payload, role: 'reply' }));
    } else if (refusal !== null) {
      this.#connection.close({ why: 'violation', text: `${message.name}: ${refusal}` });
    }
  }

  /** Null: done; else why it is refused. */
  async #answerTo(message: Message): Promise<string | null> {
    const { requests, protocolFeatures, rings } = this.#options;
    const handler = HANDLERS[message.row?.name as BackName];
    if (message.row === undefined || handler === undefined) return 'it is not supported';
    const { feature } = message.row;
    if (feature !== undefined && (protocolFeatures & PROTOCOL_F[feature]) === 0n) {
      return `it needs ${feature}, which is not negotiated`;
    }
    return handler(requests, message, rings);
  }
}
