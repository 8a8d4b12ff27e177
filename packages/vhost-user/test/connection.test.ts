import { eventFd, type Fd, memfd, Reactor, UnixSocket } from '@vhostlab/host';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import {
  type CloseReason,
  Connection,
  EMPTY,
  encodeMessage,
  FRONT,
  type Frame,
  frameBytes,
  HostSocket,
  type MessageSocket,
  u64Payload,
} from '../src/index.ts';
import { type MemorySocket, type MemorySocketOptions, memorySocketPair } from '../test-kit/index.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A connection that keeps what it got. */
class Collector {
  readonly frames: Frame[] = [];
  readonly fds: Fd[] = [];
  reason: CloseReason | null = null;
  readonly connection: Connection;
  #waiters: (() => void)[] = [];
  /** Handlers wait for this before they return. */
  gate: Promise<void> = Promise.resolve();

  constructor(socket: MessageSocket, options = {}) {
    this.connection = new Connection(
      socket,
      {
        frame: async (frame) => {
          this.frames.push(frame);
          this.fds.push(...frame.fds);
          this.#wake();
          await this.gate;
        },
        closed: (reason) => {
          this.reason = reason;
          this.#wake();
        },
      },
      options,
    );
    cleanups.push(() => {
      this.connection.close({ why: 'local', text: 'test is over' });
      for (const fd of this.fds) fd.close();
    });
  }

  /** Resolves when `condition` holds; looked at after each message and at the end. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

function pair(options: MemorySocketOptions = {}): [MemorySocket, Collector] {
  const [near, far] = memorySocketPair(options);
  cleanups.push(() => near.close());
  return [near, new Collector(far)];
}

function testFd(): Fd {
  const fd = eventFd();
  cleanups.push(() => fd.close());
  return fd;
}

const get = encodeMessage({ request: FRONT.GET_FEATURES, payload: EMPTY });
const set = encodeMessage({ request: FRONT.SET_FEATURES, payload: u64Payload(1n << 32n) });

test('messages come through byte by byte', async () => {
  const [near, far] = pair();
  for (const byte of Uint8Array.of(...get, ...set)) near.send(Uint8Array.of(byte), []);
  await far.until(() => far.frames.length === 2);
  expect(far.frames.map((frame) => frame.bytes)).toEqual([get, set]);
});

test('several messages in one write come through one by one', async () => {
  const [near, far] = pair();
  near.send(Uint8Array.of(...get, ...set, ...get), []);
  await far.until(() => far.frames.length === 3);
  expect(far.frames.map((frame) => frame.bytes)).toEqual([get, set, get]);
});

test('any cutting of a stream into writes and reads gives the same messages with the same descriptors', async () => {
  const fd = testFd();
  const message = fc.record({ size: fc.integer({ min: 0, max: 200 }), fds: fc.integer({ min: 0, max: 8 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 300 }),
      async (messages, cuts, maxReadBytes) => {
        const [near, socket] = memorySocketPair({ maxReadBytes });
        const far = new Collector(socket);
        let turn = 0;
        const sent = messages.map(({ size, fds }) => {
          const bytes = frameBytes({ request: size, flags: 1, size }, new Uint8Array(size).fill(size));
          for (let at = 0; at < bytes.length; ) {
            const next = at + cuts[turn++ % cuts.length];
            near.send(bytes.subarray(at, next), at === 0 ? Array.from({ length: fds }, () => fd) : []);
            at = next;
          }
          return bytes;
        });
        near.close();
        await far.until(() => far.reason !== null);
        expect(far.frames.map((frame) => frame.bytes)).toEqual(sent);
        expect(far.frames.map((frame) => frame.fds.length)).toEqual(messages.map(({ fds }) => fds));
        expect(far.frames.flatMap((frame) => frame.problems)).toEqual([]);
        expect(far.reason).toMatchObject({ why: 'peer' });
        for (const received of far.fds) received.close();
      },
    ),
    { numRuns: 60 },
  );
});

test('descriptors that come after the first byte are closed and reported', async () => {
  const [near, far] = pair();
  near.send(set.subarray(0, 12), [testFd()]);
  near.send(set.subarray(12), [testFd(), testFd()]);
  await far.until(() => far.frames.length === 1);
  expect(far.frames[0].fds).toHaveLength(1);
  expect(far.frames[0].problems.map((found) => found.code)).toEqual(['stray-fds']);
  expect(far.connection.counters).toMatchObject({ fdsIn: 3, strayFds: 2, framesIn: 1, bytesIn: 20 });
});

test('more descriptors than a message may have are reported, the rest is the kernel’s to close', async () => {
  const [near, far] = pair();
  near.send(get, Array.from({ length: 9 }, testFd));
  await far.until(() => far.frames.length === 1);
  expect(far.frames[0].fds).toHaveLength(8);
  expect(far.frames[0].problems.map((found) => found.code)).toEqual(['fds-truncated']);
});

test.each([4097, 5000, 0xffffffff])(
  'a payload of %i bytes ends the connection, and its descriptors are closed',
  async (size) => {
    const [near, far] = pair();
    const header = frameBytes({ request: FRONT.SET_FEATURES, flags: 1, size }, new Uint8Array(0));
    near.send(header.subarray(0, 5), [testFd()]);
    near.send(header.subarray(5), []);
    await far.until(() => far.reason !== null);
    expect(far.reason).toMatchObject({ why: 'violation' });
    expect(far.reason?.text).toContain(String(size));
    expect(far.frames).toEqual([]);
  },
);

test('a payload of 4096 bytes is taken', async () => {
  const [near, far] = pair();
  near.send(frameBytes({ request: 99, flags: 1, size: 4096 }, new Uint8Array(4096)), []);
  await far.until(() => far.frames.length === 1);
  expect(far.frames[0].bytes).toHaveLength(4108);
});

test('the end inside a message is told apart from the end between messages', async () => {
  const [near, far] = pair();
  near.send(get.subarray(0, 7), []);
  near.close();
  await far.until(() => far.reason !== null);
  expect(far.reason).toMatchObject({ why: 'peer', clause: expect.any(String) });
  const [other, quiet] = pair();
  other.close();
  await quiet.until(() => quiet.reason !== null);
  expect(quiet.reason).toEqual({ why: 'peer', text: 'the peer has closed the connection' });
});

test('the next message waits until the one before is handled', async () => {
  const [near, far] = pair();
  let open = () => {};
  far.gate = new Promise((resolve) => {
    open = resolve;
  });
  near.send(Uint8Array.of(...get, ...set), []);
  await far.until(() => far.frames.length === 1);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(far.frames).toHaveLength(1);
  open();
  await far.until(() => far.frames.length === 2);
});

test('a handler that fails ends the connection as a failure', async () => {
  const [near, socket] = memorySocketPair();
  const reasons: CloseReason[] = [];
  new Connection(socket, {
    frame: () => Promise.reject(new Error('no device')),
    closed: (reason) => reasons.push(reason),
  });
  near.send(get, []);
  while (reasons.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(reasons).toMatchObject([{ why: 'failure', text: 'no device' }]);
});

test('header and payload go in one write', async () => {
  const [near, far] = memorySocketPair();
  const sender = new Collector(near);
  sender.connection.send(set, [testFd()]);
  const into = new Uint8Array(100);
  const received = far.receive(into, 8);
  expect(received).toMatchObject({ bytes: 20 });
  if (typeof received === 'object') for (const fd of received.fds) fd.close();
});

test('what a slow peer does not take is kept with its descriptors and sent in order', async () => {
  const [near, far] = memorySocketPair({ capacityBytes: 30, maxWriteBytes: 7 });
  const sender = new Collector(near);
  for (let i = 0; i < 10; i++) {
    const fd = eventFd();
    const message = encodeMessage({ request: FRONT.SET_FEATURES, payload: u64Payload(i) });
    expect(sender.connection.send(message, i % 2 === 0 ? [fd] : [])).toBe(true);
    fd.close();
  }
  const receiver = new Collector(far);
  await receiver.until(() => receiver.frames.length === 10);
  expect(receiver.frames.map((frame) => frame.bytes[12])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(receiver.frames.map((frame) => frame.fds.length)).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
  expect(receiver.frames.flatMap((frame) => frame.problems)).toEqual([]);
});

test('a peer that never reads ends the connection instead of filling memory', () => {
  const [near, far] = memorySocketPair({ capacityBytes: 100 });
  const sender = new Collector(near, { maxQueuedBytes: 1000 });
  let sent = 0;
  while (sender.connection.send(set, [])) sent++;
  expect(sent).toBe(55);
  expect(sender.reason).toMatchObject({ why: 'slow' });
  far.close();
});

test('a send to a peer that is gone ends the connection', () => {
  const [near, far] = memorySocketPair();
  const sender = new Collector(near);
  far.close();
  expect(sender.connection.send(set)).toBe(false);
  expect(sender.reason).toMatchObject({ why: 'peer' });
  expect(sender.connection.send(set)).toBe(false);
});

test('over a real socket: messages, descriptors of files, backpressure and the end', async () => {
  const reactor = new Reactor();
  cleanups.push(() => reactor.stop());
  const [left, right] = UnixSocket.pair();
  const a = new Collector(new HostSocket(left, reactor));
  const b = new Collector(new HostSocket(right, reactor));
  const file = memfd('connection test', 4096);
  a.connection.send(set, [file, file, file]);
  file.close();
  await b.until(() => b.frames.length === 1);
  expect(b.frames[0].fds).toHaveLength(3);

  // more than the socket holds, while the reader is busy
  let open = () => {};
  b.gate = new Promise((resolve) => {
    open = resolve;
  });
  const big = frameBytes({ request: 99, flags: 1, size: 4000 }, new Uint8Array(4000).fill(9));
  const many = 100;
  for (let i = 0; i < many; i++) expect(a.connection.send(big)).toBe(true);
  open();
  await b.until(() => b.frames.length === 1 + many);
  expect(b.frames.slice(1).every((frame) => Buffer.compare(frame.bytes, big) === 0)).toBe(true);

  a.connection.close({ why: 'local', text: 'done' });
  await b.until(() => b.reason !== null);
  expect(b.reason).toMatchObject({ why: 'peer' });
});

test('a peer that hangs up is noticed while a message is handled', async () => {
  const reactor = new Reactor();
  cleanups.push(() => reactor.stop());
  const [left, right] = UnixSocket.pair();
  const told = await new Promise<string>((resolve) => {
    const connection = new Connection(new HostSocket(right, reactor), {
      frame: () => new Promise<void>(() => {}),
      hangup: () => resolve('hangup'),
      closed: () => resolve('closed'),
    });
    cleanups.push(() => connection.close({ why: 'local', text: 'test is over' }));
    left.send(get, []);
    setImmediate(() => left.send(set, []));
    setImmediate(() => setImmediate(() => left.close()));
  });
  expect(told).toBe('hangup');
});
