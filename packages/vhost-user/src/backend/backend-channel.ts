import { decodeMessage, encodeMessage } from '../codec/message.ts';
import { EMPTY, IOTLB_MISS, type Payload } from '../codec/payload.ts';
import { Connection } from '../connection/connection.ts';
import type { Frame } from '../connection/frame-reader.ts';
import type { MessageSocket } from '../connection/message-socket.ts';
import { BACK } from '../registry/back-messages.ts';

const PAGE_BYTES = 4096;
/** Translations asked for at once; more are asked for again by whoever needs them. */
const MAX_MISSES = 1024;

/** Requests that a back end here makes. */
export const BACKEND_REQUESTS = ['IOTLB_MSG', 'CONFIG_CHANGE_MSG', 'VRING_CALL', 'VRING_ERR'] as const;

/**
 * The socket on which the back end asks (SET_BACKEND_REQ_FD). Nothing is awaited: a translation comes back as IOTLB_MSG
 * on the main socket, and nobody needs to know that a change of the configuration was seen. What the front end breaks
 * here closes this socket only.
 */
export class BackendChannel {
  readonly #connection: Connection;
  readonly #acknowledged: boolean;
  readonly #note: (text: string) => void;
  /** Requests sent with need_reply, in order. */
  readonly #unanswered: number[] = [];
  readonly #misses = new Set<number>();

  /** `acknowledged`: REPLY_ACK is negotiated. `note` hears of what goes wrong. */
  constructor(socket: MessageSocket, acknowledged: boolean, note: (text: string) => void) {
    this.#acknowledged = acknowledged;
    this.#note = note;
    this.#connection = new Connection(socket, {
      frame: (frame) => this.#answer(frame),
      closed: ({ why, text }) => {
        if (why !== 'local') note(`the back-end channel ended: ${text}`);
      },
    });
  }

  /** Asks for a translation, unless its page was asked for and not answered yet. */
  requestTranslation(iova: number, permission: number): void {
    const page = Math.floor(iova / PAGE_BYTES);
    if (this.#misses.has(page) || this.#misses.size >= MAX_MISSES) return;
    this.#misses.add(page);
    const payload = {
      kind: 'iotlb',
      iova: BigInt(iova),
      size: 0n,
      uaddr: 0n,
      perm: permission,
      type: IOTLB_MISS,
    } as const;
    this.#send('IOTLB_MSG', payload, false);
  }

  /** A translation came: its pages may be asked for again when it is invalidated. */
  translated(iova: number, bytes: number): void {
    const first = Math.floor(iova / PAGE_BYTES);
    const last = Math.floor((iova + bytes - 1) / PAGE_BYTES);
    for (const page of this.#misses) if (page >= first && page <= last) this.#misses.delete(page);
  }

  /** False when the channel is closed. */
  configChanged(): boolean {
    return this.#send('CONFIG_CHANGE_MSG', EMPTY, this.#acknowledged);
  }

  call(index: number): boolean {
    return this.#send('VRING_CALL', { kind: 'state', index, num: 0 }, false);
  }

  err(index: number): boolean {
    return this.#send('VRING_ERR', { kind: 'state', index, num: 0 }, false);
  }

  close(): void {
    this.#connection.close({ why: 'local', text: 'the back-end channel is not needed any more' });
  }

  #send(name: (typeof BACKEND_REQUESTS)[number], payload: Payload, needReply: boolean): boolean {
    const request = BACK[name];
    const sent = this.#connection.send(encodeMessage({ request, payload, needReply }));
    if (sent && needReply) this.#unanswered.push(request);
    return sent;
  }

  #answer(frame: Frame): void {
    for (const fd of frame.fds) fd.close();
    const message = decodeMessage(frame.bytes, 'backend', 'reply', frame.fds.length);
    const expected = this.#unanswered.shift();
    const problem =
      message.problems[0]?.text ?? (expected === message.header.request ? null : 'nobody asked for it');
    if (problem !== null) {
      this.#connection.close({
        why: 'violation',
        text: `${message.name} on the back-end channel: ${problem}`,
      });
    } else if (message.payload?.kind === 'u64' && message.payload.value !== 0n) {
      this.#note(`the front end refused ${message.name}: ${message.payload.value}`);
    }
  }
}
