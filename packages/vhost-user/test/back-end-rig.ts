import { eventFd, type Fd, memfd, signalEvent } from '@vhostlab/host';
import {
  BACKEND_PROTOCOL_FEATURES,
  BackendSession,
  type CloseReason,
  Connection,
  decodeMessage,
  EMPTY,
  encodeMessage,
  FRONT,
  type Frame,
  type FrontName,
  type MemRegion,
  type Message,
  type Payload,
  type Refusal,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice, FakeMapper, memorySocketPair } from '../test-kit/index.ts';

export interface RigOptions {
  device?: FakeDevice;
  mapper?: FakeMapper;
  checkEventFd?: (fd: Fd) => string | null;
}

/** A back-end session on one end of a socket in memory, and a front end that sends any message on the other. */
export class Rig {
  readonly device: FakeDevice;
  readonly mapper: FakeMapper;
  readonly session: BackendSession;
  readonly refusals: Refusal[] = [];
  readonly ringEvents: string[] = [];
  readonly notes: string[] = [];
  /** Far ends of the back-end channels. */
  readonly channels: Channel[] = [];
  readonly signalled: Fd[] = [];
  reason: CloseReason | null = null;
  readonly #connection: Connection;
  readonly #replies: Frame[] = [];
  #waiter: (() => void) | null = null;
  readonly #owned: Fd[] = [];

  constructor(options: RigOptions = {}) {
    this.device = options.device ?? new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES });
    this.mapper = options.mapper ?? new FakeMapper();
    const [near, far] = memorySocketPair();
    this.session = new BackendSession({
      socket: far,
      device: this.device,
      mapper: this.mapper,
      openChannel: (fd) => {
        const channel = this.channels.find((one) => !one.isTaken);
        if (channel === undefined) return 'no channel was prepared';
        fd.close();
        return channel.open();
      },
      signal: (fd) => {
        this.signalled.push(fd);
        signalEvent(fd.number);
      },
      ...(options.checkEventFd === undefined ? {} : { checkEventFd: options.checkEventFd }),
      observer: {
        refused: (_message, refusal) => this.refusals.push(refusal),
        ring: (index, event) => this.ringEvents.push(`${event} ${index}`),
        note: (text) => this.notes.push(text),
      },
    });
    this.#connection = new Connection(near, {
      frame: (frame) => {
        this.#replies.push(frame);
        this.#waiter?.();
      },
      closed: (reason) => {
        this.reason = reason;
        this.#waiter?.();
      },
    });
  }

  /** A descriptor that is closed with the rig. */
  own(fd: Fd): Fd {
    this.#owned.push(fd);
    return fd;
  }

  event(): Fd {
    return this.own(eventFd());
  }

  file(bytes: number): Fd {
    return this.own(memfd('rig', bytes));
  }

  /** Sends a message and does not wait. */
  post(name: FrontName, payload: Payload = EMPTY, fds: readonly Fd[] = [], needReply = false): void {
    this.raw(encodeMessage({ request: FRONT[name], payload, needReply }), fds);
  }

  raw(bytes: Uint8Array, fds: readonly Fd[] = []): void {
    this.#connection.send(bytes, fds);
  }

  /** Sends a message and waits for its answer, whichever kind that is. Throws when the connection ends instead. */
  async ask(name: FrontName, payload: Payload = EMPTY, fds: readonly Fd[] = []): Promise<Message> {
    this.post(name, payload, fds, true);
    return this.answer();
  }

  /** The number of a u64 answer. */
  async askNumber(name: FrontName, payload: Payload = EMPTY, fds: readonly Fd[] = []): Promise<bigint> {
    const { payload: answer } = await this.ask(name, payload, fds);
    if (answer?.kind !== 'u64') throw new Error(`${name} was answered with ${answer?.kind}`);
    return answer.value;
  }

  /** The next answer. */
  async answer(): Promise<Message> {
    while (this.#replies.length === 0) {
      if (this.reason !== null) throw new Error(`the back end closed: ${this.refusals.at(-1)?.text}`);
      await this.#event();
    }
    const frame = this.#replies.shift()!;
    for (const fd of frame.fds) this.own(fd);
    const message = decodeMessage(frame.bytes, 'main', 'reply', frame.fds.length);
    if (message.problems.length > 0) throw new Error(message.problems[0].text);
    return message;
  }

  /** Descriptors that came with the last answer are the last ones of these. */
  get lastFd(): Fd {
    return this.#owned.at(-1)!;
  }

  /** Waits until everything sent before was handled: GET_FEATURES is answered at any time. */
  async sync(): Promise<void> {
    await this.ask('GET_FEATURES');
  }

  /** Waits until the back end has closed; the refusal that made it. */
  async closed(): Promise<Refusal | undefined> {
    while (this.reason === null) await this.#event();
    await this.session.finished;
    return this.refusals.at(-1);
  }

  /** Ends the connection and waits until everything was given back. */
  async end(): Promise<CloseReason> {
    this.#connection.close({ why: 'local', text: 'test is over' });
    const reason = await this.session.finished;
    for (const channel of this.channels) channel.close();
    for (const fd of this.#owned) fd.close();
    return reason;
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  /** GET_FEATURES to SET_FEATURES; `features` without bit 30, which is added. */
  async negotiate(features = 0x1_0000_0000n, protocol = BACKEND_PROTOCOL_FEATURES): Promise<void> {
    await this.ask('GET_FEATURES');
    await this.ask('GET_PROTOCOL_FEATURES');
    this.post('SET_PROTOCOL_FEATURES', u64Payload(protocol & this.device.offer.protocolFeatures));
    this.post('SET_OWNER');
    this.post('SET_FEATURES', u64Payload(features | (1n << 30n)));
    await this.sync();
  }

  /** One region of 1 MiB at guest address 0, user address 0x7f0000000000. */
  async shareMemory(bytes = 1 << 20): Promise<void> {
    const fd = this.file(bytes);
    const answer = await this.askNumber('ADD_MEM_REG', { kind: 'mem-region', region: region(0, bytes) }, [
      fd,
    ]);
    if (answer !== 0n) throw new Error(`memory was refused: ${this.refusals.at(-1)?.text}`);
  }

  /** Size, base, addresses and kick of a ring; its areas lie from `index` times 64 KiB on. */
  async setUpRing(index: number, size = 256, base = 0, flags = 0): Promise<bigint> {
    this.post('SET_VRING_NUM', { kind: 'state', index, num: size });
    this.post('SET_VRING_BASE', { kind: 'state', index, num: base });
    this.post('SET_VRING_ADDR', ringAddr(index, flags));
    const kick = { kind: 'vring-fd', index, noFd: false, reserved: 0n } as const;
    return this.askNumber('SET_VRING_KICK', kick, [this.event()]);
  }
}

/** A back-end channel, seen by a front end. */
export class Channel {
  isTaken = false;
  readonly messages: Message[] = [];
  #connection: Connection | null = null;
  #waiter: (() => void) | null = null;
  isClosed = false;

  open() {
    this.isTaken = true;
    const [near, far] = memorySocketPair();
    this.#connection = new Connection(near, {
      frame: (frame) => {
        this.messages.push(decodeMessage(frame.bytes, 'backend', 'request', frame.fds.length));
        this.#waiter?.();
      },
      closed: () => {
        this.isClosed = true;
        this.#waiter?.();
      },
    });
    return far;
  }

  send(bytes: Uint8Array): void {
    this.#connection?.send(bytes);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
  }

  close(): void {
    this.#connection?.close({ why: 'local', text: 'test is over' });
  }
}

export const USER_BASE = 0x7f0000000000n;

/** A region whose user addresses begin at USER_BASE plus its guest address. */
export function region(gpa: number | bigint, bytes: number | bigint, offset: number | bigint = 0): MemRegion {
  return {
    guestPhysAddr: BigInt(gpa),
    memorySize: BigInt(bytes),
    userspaceAddr: USER_BASE + BigInt(gpa),
    mmapOffset: BigInt(offset),
  };
}

/** Addresses of a ring of up to 1024 descriptors, 64 KiB apart from the next. */
export function ringAddr(index: number, flags = 0) {
  const at = USER_BASE + BigInt(index) * 0x10000n;
  const logGuestAddr = BigInt(index) * 0x10000n + 0x8000n;
  return {
    kind: 'addr',
    index,
    flags,
    desc: at,
    avail: at + 0x4000n,
    used: at + 0x8000n,
    logGuestAddr,
  } as const;
}

export const state = (index: number, num: number) => ({ kind: 'state', index, num }) as const;
export const vringFd = (index: number, noFd = false) =>
  ({ kind: 'vring-fd', index, noFd, reserved: 0n }) as const;
