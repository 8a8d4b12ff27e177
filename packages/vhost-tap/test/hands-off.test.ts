import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { EMPTY, encodeMessage, FRONT, type FrontName, u64Payload } from '@vhostlab/vhost-user';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseInjectRule } from '../src/index.ts';
import { Lab } from './kit/lab.ts';

const labs: Lab[] = [];
const cleanups: (() => void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  for (const lab of labs.splice(0)) await lab.close();
});

function newLab(): Lab {
  const lab = new Lab();
  labs.push(lab);
  return lab;
}

/** Everything that comes from a socket. */
function received(socket: Socket): { bytes: () => string } {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => void chunks.push(chunk));
  return { bytes: () => Buffer.concat(chunks).toString('hex') };
}

const request = (name: FrontName, value: bigint | null, needReply = false) =>
  encodeMessage({
    request: FRONT[name],
    payload: value === null ? EMPTY : u64Payload(value),
    needReply,
  });

describe('the tap keeps its hands off', () => {
  it('passes every byte of both peers on as it is, right or wrong', async () => {
    const lab = newLab();
    const arrivals: Socket[] = [];
    const server = createServer((socket) => void arrivals.push(socket)).listen(lab.backendPath);
    cleanups.push(() => server.close());
    await once(server, 'listening');
    const tap = lab.startTap();
    const front = connect(lab.tapPath);
    cleanups.push(() => front.destroy());
    await vi.waitFor(() => expect(arrivals).toHaveLength(1), 20_000);
    const back = arrivals[0]!;
    cleanups.push(() => back.destroy());
    const [atBack, atFront] = [received(back), received(front)];

    const unknown = Uint8Array.of(200, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3);
    const requests = [
      request('GET_FEATURES', null),
      request('GET_PROTOCOL_FEATURES', null),
      // more than was offered, and with all bits that there are
      request('SET_PROTOCOL_FEATURES', 2n ** 64n - 1n, true),
      request('SET_FEATURES', 2n ** 64n - 1n),
      unknown,
    ];
    const answers = [
      encodeMessage({ request: FRONT.GET_FEATURES, payload: u64Payload(0x1_7000_0000n), role: 'reply' }),
      encodeMessage({ request: FRONT.GET_PROTOCOL_FEATURES, payload: u64Payload(2n ** 63n), role: 'reply' }),
      encodeMessage({ request: FRONT.SET_PROTOCOL_FEATURES, payload: u64Payload(1n), role: 'reply' }),
      // nobody asked
      encodeMessage({ request: FRONT.GET_QUEUE_NUM, payload: u64Payload(77n), role: 'reply' }),
    ];
    const hex = (messages: readonly Uint8Array[]) => Buffer.concat(messages).toString('hex');
    for (const [from, to] of [
      [0, 2],
      [2, 5],
    ]) {
      front.write(Buffer.concat(requests.slice(from, to)));
      await vi.waitFor(() => expect(atBack.bytes()).toBe(hex(requests.slice(0, to))), 20_000);
      back.write(Buffer.concat(answers.slice(from, to)));
      await vi.waitFor(() => expect(atFront.bytes()).toBe(hex(answers.slice(0, to))), 20_000);
    }

    const codes = tap.summary().violations.map(({ code }) => code);
    expect(codes).toEqual(
      expect.arrayContaining(['protocol-features-offered', 'features-offered', 'reply-unasked']),
    );
  });

  it('reads no guest memory from POSTCOPY_LISTEN to the answer to POSTCOPY_END', async () => {
    const lab = newLab();
    await lab.backend();
    // the back end knows nothing of postcopy
    const tap = lab.startTap({
      inject: [parseInjectRule('drop message POSTCOPY_LISTEN')],
      notifications: true,
    });
    const frontend = await lab.frontend({ workload: { kind: 'raw' } });
    const ring = frontend.rawRing(1);
    const looks = () => tap.summary().rings.reduce((sum, { samples }) => sum + samples, 0);
    const broken = () => tap.summary().violations.filter(({ queue }) => queue !== null);
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(5), 20_000);

    frontend.session.sendRaw(request('POSTCOPY_LISTEN', null));
    await vi.waitFor(() => expect(tap.summary().injected).toBe(1), 20_000);
    const before = looks();
    const { samples } = tap.summary();
    ring.availableIndex(1000);
    ring.kick();
    await vi.waitFor(() => {
      expect(tap.summary().kicks).toBeGreaterThan(0);
      expect(tap.summary().samples).toBeGreaterThan(samples + 50);
    }, 20_000);
    expect(looks()).toBe(before);
    expect(broken()).toEqual([]);

    frontend.session.sendRaw(request('POSTCOPY_END', null, true));
    await vi.waitFor(() => expect(broken().map(({ code }) => code)).toEqual(['avail-index-jump']), 20_000);
    expect(looks()).toBeGreaterThan(before);
  });
});
