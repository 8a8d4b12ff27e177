import { memfd } from '@vhostlab/host';
import {
  decodeMessage,
  encodeMessage,
  type Fd,
  FLAG_REPLY,
  FrameReader,
  frontMessage,
  type Message,
  type MessageSocket,
  type Received,
  type SocketListener,
  u64Payload,
} from '@vhostlab/vhost-user';
import type { SocketFaults, SocketState } from './faults.ts';

const LONGEST = 4096;

/** What comes through the socket: requests by default. */
export interface SocketView {
  readonly channel: 'main' | 'backend';
  readonly role: 'request' | 'reply';
}

/** What the socket does to its peer as a whole. */
export interface SocketHost {
  die(): void;
  keep(fd: Fd): void;
  /** A connection ended without a message. */
  emptyConnection(): void;
}

/** A socket that gives the session something else than came, or answers for it. */
export class FaultySocket implements MessageSocket {
  readonly #inner: MessageSocket;
  readonly #faults: SocketFaults;
  readonly #host: SocketHost;
  readonly #reader = new FrameReader(2 ** 20);
  readonly #view: SocketView;
  readonly #state: SocketState = { seen: new Set(), count: 0, asked: [] };
  /** What the session has not read yet of the present message. */
  #bytes: Uint8Array = new Uint8Array();
  #fds: readonly Fd[] = [];
  #truncated = false;
  #isOver = false;

  constructor(
    inner: MessageSocket,
    faults: SocketFaults,
    host: SocketHost,
    view: SocketView = { channel: 'main', role: 'request' },
  ) {
    this.#inner = inner;
    this.#view = view;
    this.#faults = faults;
    this.#host = host;
  }

  send(bytes: Uint8Array, fds: readonly Fd[]): number | 'again' | 'closed' {
    const copy = bytes.slice();
    this.#note(copy, fds.length);
    const what = this.#faults.reply?.(copy, new DataView(copy.buffer).getUint32(0, true));
    if (what === 'drop') return bytes.length;
    const sent = this.#inner.send(copy, fds);
    if (what === 'twice') this.#inner.send(copy, fds);
    return sent;
  }

  receive(into: Uint8Array, maxFds: number): Received | 'again' | 'closed' {
    while (this.#bytes.length === 0) {
      const state = this.#next(maxFds);
      if (state !== 'message') return state;
    }
    const part = this.#bytes.subarray(0, into.length);
    into.set(part);
    this.#bytes = this.#bytes.subarray(part.length);
    const fds = this.#fds;
    const truncated = this.#truncated;
    this.#fds = [];
    this.#truncated = false;
    return { bytes: part.length, fds, truncated };
  }

  listen(listener: SocketListener): void {
    this.#inner.listen(listener);
  }

  want(readable: boolean, writable: boolean): void {
    this.#inner.want(readable, writable);
  }

  close(): void {
    for (const fd of this.#fds) fd.close();
    this.#reader.dispose();
    this.#inner.close();
  }

  /** Reads until there is a message for the session. */
  #next(maxFds: number): 'message' | 'again' | 'closed' {
    if (this.#isOver) return 'closed';
    const room = this.#reader.room();
    const received = this.#inner.receive(room, maxFds);
    if (received === 'again') return 'again';
    if (received === 'closed') return this.#ended();
    if (this.#faults.needsWholeMessages === true && received.bytes < room.length) return this.#over();
    this.#truncated ||= received.truncated;
    const taken = this.#reader.take(received);
    if (taken.kind === 'more' && this.#faults.believesSizes === true) return this.#believe();
    if (taken.kind === 'broken' && this.#faults.believesSizes === true) return this.#believe(true);
    if (taken.kind === 'broken') return this.#broken();
    if (taken.kind === 'more') return this.#next(maxFds);
    return this.#decide(taken.frame.bytes, taken.frame.fds) ? 'message' : this.#next(maxFds);
  }

  /** True when the session gets the message. */
  #decide(bytes: Uint8Array, fds: readonly Fd[]): boolean {
    const { decide, rewrite, keepsDescriptors, answersUnasked } = this.#faults;
    const { channel, role } = this.#view;
    const message = decodeMessage(bytes, channel, role, fds.length);
    if (this.#faults.hoards === true) this.#host.keep(memfd('hoard', 4096));
    if (keepsDescriptors === true) for (const fd of fds) this.#host.keep(fd.dup());
    const deed = decide?.(message, this.#state, fds) ?? 'pass';
    this.#state.seen.add(message.name);
    this.#state.count++;
    if (role === 'reply' && this.#state.asked[0] === message.header.request) this.#state.asked.shift();
    if (deed === 'pass') {
      rewrite?.(bytes, message);
      if (answersUnasked === message.name && !message.needReply) this.#answer(message.header.request, 0);
      this.#bytes = bytes;
      this.#fds = fds;
      return true;
    }
    for (const fd of fds) fd.close();
    if (deed === 'echo') this.#echo(message, bytes);
    if (deed === 'die') this.#host.die();
    if (deed === 'close') this.#isOver = true;
    if (deed === 'acknowledge' && message.needReply) this.#answer(message.header.request, 0);
    if (deed === 'refuse' && message.needReply) this.#answer(message.header.request, 1);
    return false;
  }

  /** Remembers a request of this side that has an answer. */
  #note(bytes: Uint8Array, fdCount: number): void {
    if (this.#view.role !== 'reply') return;
    const { header, needReply } = decodeMessage(bytes, 'main', 'request', fdCount);
    const row = frontMessage(header.request);
    const hasOwn = (row?.reply ?? null) !== null && row?.replyWhen === undefined;
    if (needReply || hasOwn) this.#state.asked.push(header.request);
  }

  #answer(request: number, value: number): void {
    this.#inner.send(encodeMessage({ request, payload: u64Payload(value), role: 'reply' }), []);
  }

  /** Sends the payload back as the reply. */
  #echo({ header }: Message, bytes: Uint8Array): void {
    const reply = bytes.slice();
    new DataView(reply.buffer).setUint32(4, (header.flags & 3) | FLAG_REPLY, true);
    this.#inner.send(reply, []);
  }

  #ended(): 'closed' {
    if (this.#reader.isInside && this.#faults.diesOfHalves === true) this.#host.die();
    if (this.#state.asked.length > 0 && this.#faults.diesOfSilence === true) this.#host.die();
    if (this.#state.seen.size === 0) this.#host.emptyConnection();
    return 'closed';
  }

  /** A header promises more than is taken. */
  #broken(): 'closed' {
    if (this.#faults.diesOfSizes === true) this.#host.die();
    return this.#over();
  }

  #over(): 'closed' {
    this.#isOver = true;
    return 'closed';
  }

  /** Swallows what comes, for ever, where a header promises more than there is. */
  #believe(isHuge = false): 'message' | 'again' | 'closed' {
    if (!isHuge && this.#reader.room().length <= LONGEST) return this.#next(0);
    const swallowed = this.#inner.receive(new Uint8Array(LONGEST), 0);
    return swallowed === 'closed' ? 'closed' : 'again';
  }
}
