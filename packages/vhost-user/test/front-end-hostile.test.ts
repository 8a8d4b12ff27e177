import { eventFd, type Fd } from '@vhostlab/host';
import { afterEach, describe, expect, test } from 'vitest';
import {
  BACK,
  type CloseReason,
  Connection,
  decodeMessage,
  EMPTY,
  encodeMessage,
  FRONT,
  type FrontendOptions,
  FrontendSession,
  frameBytes,
  IOTLB_MISS,
  IOTLB_UPDATE,
  type Message,
  type Payload,
  protocolMask,
  u64Payload,
} from '../src/index.ts';
import { memorySocketPair } from '../test-kit/index.ts';

type Script = (request: Message) => Uint8Array | [Uint8Array, Fd[]] | null;

const PROTOCOL = protocolMask(
  'MQ',
  'REPLY_ACK',
  'STATUS',
  'CONFIG',
  'BACKEND_REQ',
  'INFLIGHT_SHMFD',
  'DEVICE_STATE',
);
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const reply = (request: number, payload: Payload) => encodeMessage({ request, role: 'reply', payload });

/** Answers as a correct back end would. */
const honest: Script = ({ header: { request }, needReply }) => {
  if (request === FRONT.GET_FEATURES) return reply(request, u64Payload(0x1_4000_0000n));
  if (request === FRONT.GET_PROTOCOL_FEATURES) return reply(request, u64Payload(PROTOCOL));
  if (request === FRONT.GET_QUEUE_NUM) return reply(request, u64Payload(1));
  return needReply ? reply(request, u64Payload(0)) : null;
};

/** A back end that answers by script, and the front end under test. */
class Liar {
  readonly front: FrontendSession;
  readonly seen: string[] = [];
  readonly notes: string[] = [];
  script: Script = honest;
  /** Its end of the back-end channel. */
  channel!: Connection;
  readonly replies: Message[] = [];
  channelEnd: CloseReason | null = null;
  readonly #socket: Connection;

  constructor(options: Partial<FrontendOptions> = {}) {
    const [near, far] = memorySocketPair();
    this.#socket = new Connection(far, {
      frame: (frame) => {
        for (const fd of frame.fds) fd.close();
        const message = decodeMessage(frame.bytes, 'main', 'request', frame.fds.length);
        this.seen.push(message.name);
        const answer = this.script(message);
        if (answer instanceof Uint8Array) this.#socket.send(answer);
        else if (answer !== null) this.#socket.send(...answer);
      },
      closed: () => {},
    });
    this.front = new FrontendSession(near, {
      features: 0x1_0000_0000n,
      makeChannel: () => {
        const [mine, theirs] = memorySocketPair();
        this.channel = new Connection(theirs, {
          frame: (frame) => {
            this.replies.push(decodeMessage(frame.bytes, 'backend', 'reply', frame.fds.length));
          },
          closed: (reason) => {
            this.channelEnd = reason;
          },
        });
        return { near: mine, far: eventFd() };
      },
      observer: { note: (text) => this.notes.push(text) },
      ...options,
    });
    cleanups.push(() => {
      this.front.close('test is over');
      this.#socket.close({ why: 'local', text: 'test is over' });
      this.channel?.close({ why: 'local', text: 'test is over' });
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }
}

async function negotiated(options: Partial<FrontendOptions> = {}): Promise<Liar> {
  const liar = new Liar(options);
  await liar.front.negotiate();
  return liar;
}

const settle = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
};

describe('answers (item 33)', () => {
  const cases: [string, Script][] = [
    ['to another request', () => reply(FRONT.GET_FEATURES, u64Payload(0))],
    [
      'of another size',
      ({ header }) => frameBytes({ request: header.request, flags: 5, size: 4 }, new Uint8Array(4)),
    ],
    [
      'without the reply bit',
      ({ header }) => encodeMessage({ request: header.request, payload: u64Payload(0) }),
    ],
    [
      'with need_reply',
      ({ header }) => frameBytes({ request: header.request, flags: 13, size: 8 }, new Uint8Array(8)),
    ],
    [
      'of version 2',
      ({ header }) => frameBytes({ request: header.request, flags: 6, size: 8 }, new Uint8Array(8)),
    ],
    [
      'with a descriptor',
      ({ header }) => {
        const fd = eventFd();
        cleanups.push(() => fd.close());
        return [reply(header.request, u64Payload(0)), [fd]];
      },
    ],
  ];
  test.each(cases)('an answer %s fails the request and ends the connection', async (_name, script) => {
    const liar = await negotiated();
    liar.script = script;
    await expect(liar.front.getStatus()).rejects.toMatchObject({
      failure: 'bad-answer',
      request: 'GET_STATUS',
    });
    expect(await liar.front.finished).toMatchObject({ why: 'violation' });
    await expect(liar.front.getStatus()).rejects.toMatchObject({ failure: 'closed' });
  });

  test('an answer that nobody asked for ends the connection', async () => {
    const liar = await negotiated();
    liar.send(reply(FRONT.GET_STATUS, u64Payload(0)));
    expect(await liar.front.finished).toMatchObject({
      why: 'violation',
      text: expect.stringContaining('GET_STATUS'),
    });
  });

  test('an answer of 5000 bytes', async () => {
    const liar = await negotiated();
    liar.script = ({ header }) =>
      frameBytes({ request: header.request, flags: 5, size: 5000 }, new Uint8Array(0));
    await expect(liar.front.getStatus()).rejects.toMatchObject({ failure: 'closed' });
    expect(await liar.front.finished).toMatchObject({ why: 'violation' });
  });

  test('the base of another ring', async () => {
    const liar = await negotiated();
    liar.script = ({ header }) => reply(header.request, { kind: 'state', index: 1, num: 7 });
    await expect(liar.front.stopRing(0)).rejects.toMatchObject({ failure: 'bad-answer' });
    expect(liar.front.closed).not.toBeNull();
  });

  test('fewer bytes of configuration than asked for, and none', async () => {
    const liar = await negotiated();
    const config =
      (n: number): Script =>
      ({ header }) =>
        reply(header.request, { kind: 'config', offset: 0, size: n, flags: 0, region: new Uint8Array(n) });
    liar.script = config(0);
    await expect(liar.front.getConfig(0, 8)).rejects.toMatchObject({ failure: 'refused' });
    liar.script = config(4);
    await expect(liar.front.getConfig(0, 8)).rejects.toMatchObject({ failure: 'bad-answer' });
  });

  test('an inflight region without its descriptor', async () => {
    const liar = await negotiated();
    liar.script = ({ header, payload }) => reply(header.request, payload!);
    await expect(liar.front.getInflight(2, 256)).rejects.toMatchObject({ failure: 'bad-answer' });
  });

  test('silence ends in an error that names the message; a late answer is dropped', async () => {
    const liar = await negotiated();
    const late: Uint8Array[] = [];
    liar.script = ({ header }) => {
      late.push(reply(header.request, u64Payload(3)));
      return null;
    };
    const waiting = liar.front.request('GET_STATUS', EMPTY, { timeoutMs: 20 });
    await expect(waiting).rejects.toThrow('GET_STATUS: no answer within 20 ms');
    liar.script = ({ header }) => reply(header.request, u64Payload(4));
    liar.send(late[0]);
    expect(await liar.front.getStatus()).toBe(4);
  });

  test('the end of the connection inside an answer', async () => {
    const liar = await negotiated();
    const waiting = liar.front.getStatus().catch((error: unknown) => error);
    liar.script = () => null;
    liar.send(reply(FRONT.GET_STATUS, u64Payload(0)).subarray(0, 13));
    liar.front.close('told to stop');
    expect(await waiting).toMatchObject({ failure: 'closed' });
  });
});

describe('negotiation', () => {
  test('a back end without protocol features: eight regions, one pair, no acknowledgement', async () => {
    const liar = new Liar();
    liar.script = ({ header: { request }, needReply }) => {
      expect(needReply).toBe(false);
      return request === FRONT.GET_FEATURES ? reply(request, u64Payload(0x1_0000_0000n)) : null;
    };
    const negotiation = await liar.front.negotiate();
    expect(negotiation).toMatchObject({
      features: 0x1_0000_0000n,
      protocolFeatures: 0n,
      queuePairs: 1,
      memSlots: 8,
    });
    await liar.front.setFeatures(negotiation.features);
    await expect(liar.front.getStatus()).rejects.toMatchObject({ failure: 'not-negotiated' });
    const region = { guestPhysAddr: 0n, memorySize: 4096n, userspaceAddr: 0n, mmapOffset: 0n };
    const fd = eventFd();
    cleanups.push(() => fd.close());
    await liar.front.request('GET_FEATURES', EMPTY);
    liar.seen.length = 0;
    await liar.front.setMemory([{ fd, region }]);
    // without REPLY_ACK the answer to GET_FEATURES says that the table was handled
    expect(liar.seen).toEqual(['SET_MEM_TABLE', 'GET_FEATURES']);
  });

  test('features that were not offered are this side’s mistake', async () => {
    const liar = await negotiated();
    await expect(liar.front.setFeatures(1n << 15n)).rejects.toThrow(RangeError);
  });

  test('the protocol features that it was given and no others', async () => {
    const liar = await negotiated({ protocolFeatures: protocolMask('REPLY_ACK', 'STATUS', 'RARP') });
    expect(liar.front.negotiated.protocolFeatures).toBe(protocolMask('REPLY_ACK', 'STATUS'));
    expect(liar.seen).not.toContain('GET_QUEUE_NUM');
  });
});

describe('requests of the back end (item 32)', () => {
  const request = (name: keyof typeof BACK, payload: Payload, needReply = false) =>
    encodeMessage({ request: BACK[name], payload, needReply });
  const miss = (iova: bigint, type = IOTLB_MISS) =>
    ({ kind: 'iotlb', iova, size: 0n, uaddr: 0n, perm: 1, type }) as const;

  const malformed: [string, Uint8Array][] = [
    ['an oversized header', frameBytes({ request: 1, flags: 1, size: 0xffffffff }, new Uint8Array(0))],
    ['a payload that is too short', frameBytes({ request: 1, flags: 9, size: 31 }, new Uint8Array(31))],
    ['version 3', frameBytes({ request: 2, flags: 3, size: 0 }, new Uint8Array(0))],
    ['an answer instead of a request', frameBytes({ request: 2, flags: 5, size: 0 }, new Uint8Array(0))],
    ['an unknown number', frameBytes({ request: 77, flags: 1, size: 0 }, new Uint8Array(0))],
    ['a message of crosvm', frameBytes({ request: 1003, flags: 1, size: 8 }, new Uint8Array(8))],
    [
      'a host notifier that nobody negotiated',
      request('VRING_HOST_NOTIFIER_MSG', {
        kind: 'vring-area',
        index: 0,
        noFd: true,
        size: 4096n,
        offset: 0n,
      }),
    ],
    ['an update instead of a miss', request('IOTLB_MSG', miss(0n, IOTLB_UPDATE))],
    ['a call that nobody negotiated', request('VRING_CALL', { kind: 'state', index: 0, num: 0 })],
  ];
  test.each(malformed)('%s closes the channel, the main connection goes on', async (_name, bytes) => {
    const liar = await negotiated({ requests: { iotlb: async () => null } });
    liar.channel.send(bytes);
    await settle(() => liar.channelEnd !== null);
    expect(liar.channelEnd).toMatchObject({ why: 'peer' });
    await liar.front.setStatus(1);
    expect(liar.notes).not.toEqual([]);
  });

  test('what is asked with need_reply is refused with an answer', async () => {
    const liar = await negotiated();
    liar.channel.send(frameBytes({ request: 77, flags: 9, size: 0 }, new Uint8Array(0)));
    liar.channel.send(request('IOTLB_MSG', miss(0n), true));
    liar.channel.send(request('CONFIG_CHANGE_MSG', EMPTY, true));
    await settle(() => liar.replies.length === 3);
    expect(liar.replies.map(({ payload }) => payload)).toEqual([u64Payload(1), u64Payload(1), u64Payload(0)]);
    expect(liar.replies.every(({ header }) => header.flags === 5)).toBe(true);
  });

  test('descriptors that nobody asked for close the channel', async () => {
    const liar = await negotiated();
    const fd = eventFd();
    liar.channel.send(request('CONFIG_CHANGE_MSG', EMPTY), [fd]);
    fd.close();
    await settle(() => liar.channelEnd !== null);
  });

  test('a flood is handled one by one, and the main connection is served meanwhile', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let active = 0;
    let most = 0;
    let handled = 0;
    const liar = await negotiated({
      requests: {
        configChanged: async () => {
          most = Math.max(most, ++active);
          await gate;
          active--;
          handled++;
          return null;
        },
      },
    });
    for (let i = 0; i < 500; i++) liar.channel.send(request('CONFIG_CHANGE_MSG', EMPTY));
    await liar.front.setStatus(1);
    open();
    await settle(() => handled === 500);
    expect(most).toBe(1);
  });
});
