import { sleep } from '@vhostlab/host';
import { CLAUSE, EMPTY, FLAG_NEED_REPLY, FLAG_REPLY, FLAG_VERSION, FRONT } from '@vhostlab/vhost-user';
import type { BackEndCheck } from '../../check.ts';
import { failed, passed } from '../../report/verdict.ts';
import { describeReaction, survived } from '../../wire/reaction.ts';
import { check, refuses, survives } from './define.ts';

const { header } = CLAUSE;
const WHOLE = 'A back end reads whole messages from the stream, however the bytes arrive.';
const NO_HARM = 'A back end waits or closes the connection, and serves the next one.';
const robust = { basis: 'robustness' } as const;

/** How messages arrive on the stream (item 1), and their flags (item 3). */
export const FRAMING: readonly BackEndCheck[] = [
  check(
    {
      id: 'msg.byte-at-a-time',
      title: 'a message byte by byte',
      item: 1,
      clause: header,
      requirement: WHOLE,
      ...robust,
    },
    async (bench) => {
      const link = await bench.link();
      const bytes = link.bytes({ request: 'SET_OWNER' });
      for (const at of bytes.keys()) {
        await link.wire.send(bytes.subarray(at, at + 1));
        // let the peer see each byte alone
        if (at % 4 === 0) await sleep(1);
      }
      const { after, reply } = await link.reactionTo(FRONT.SET_OWNER, link.hasReplyAck);
      if (after !== 'stays') return { verdict: 'disconnected', observed: after };
      return reply === 0n || !link.hasReplyAck ? passed('carried out') : failed('no answer');
    },
  ),
  check(
    { id: 'msg.two-in-one', title: 'two messages in one write', item: 1, clause: header, requirement: WHOLE },
    async (bench) => {
      const link = await bench.link();
      const one = link.bytes({ request: 'GET_FEATURES' });
      const two = link.bytes({ request: 'GET_PROTOCOL_FEATURES' });
      await link.wire.send(new Uint8Array([...one, ...two]));
      for (const wanted of [FRONT.GET_FEATURES, FRONT.GET_PROTOCOL_FEATURES]) {
        const arrival = await link.wire.next(bench.limits.replyMs);
        if (arrival.kind !== 'message') return failed(`${arrival.kind} instead of the reply to ${wanted}`);
        if (arrival.message.header.request !== wanted) return failed('replies in the wrong order');
      }
      return passed('both answered, in order');
    },
  ),
  ...[1, 5, 11].map((bytes) =>
    check(
      {
        id: `msg.truncated-header-${bytes}`,
        title: `${bytes} bytes of a header, then the end`,
        item: 1,
        clause: header,
        requirement: NO_HARM,
        mayClose: true,
        ...robust,
      },
      async (bench) => {
        const link = await bench.link();
        await link.wire.send(link.bytes({ request: 'GET_FEATURES' }).subarray(0, bytes));
        link.wire.close();
        return passed('the connection is over');
      },
    ),
  ),
  check(
    {
      id: 'msg.truncated-payload',
      title: 'a header and half of its payload, then the end',
      item: 1,
      clause: header,
      requirement: NO_HARM,
      mayClose: true,
      ...robust,
    },
    async (bench) => {
      const link = await bench.link();
      const bytes = link.bytes({ request: 'SET_FEATURES', payload: { kind: 'u64', value: bench.features } });
      await link.wire.send(bytes.subarray(0, 16));
      link.wire.close();
      return passed('the connection is over');
    },
  ),
  check(
    {
      id: 'msg.silence-after-header',
      title: 'a header, then silence',
      item: 1,
      clause: header,
      requirement: NO_HARM,
      mayClose: true,
      ...robust,
    },
    async (bench) => {
      const link = await bench.link();
      const bytes = link.bytes({ request: 'SET_FEATURES', payload: { kind: 'u64', value: bench.features } });
      await link.wire.send(bytes.subarray(0, 12));
      const closed = await link.wire.untilClosed(bench.limits.pauseMs);
      return passed(closed ? 'closes' : 'waits');
    },
  ),
  ...[0, 2, 3].map((version) =>
    refuses(
      {
        id: `msg.version-${version}`,
        title: `a message of version ${version}`,
        item: 3,
        clause: header,
        requirement:
          'A back end does not carry out a message of another version: it answers a number other than 0, or closes.',
      },
      async (bench) => {
        const link = await bench.link();
        return link.react({ request: 'SET_OWNER', flags: version | FLAG_NEED_REPLY });
      },
    ),
  ),
  check(
    {
      id: 'msg.reply-bit',
      title: 'a request that is marked as a reply',
      item: 3,
      clause: header,
      requirement: 'A back end does not carry out a reply to nothing: it ignores or refuses it, or closes.',
      mayClose: true,
    },
    async (bench) => {
      const link = await bench.link();
      const flags = FLAG_VERSION | FLAG_REPLY | FLAG_NEED_REPLY;
      const reaction = await link.react({ request: 'SET_OWNER', flags });
      return reaction.reply === 0n ? failed(describeReaction(reaction)) : survived(reaction);
    },
  ),
  survives(
    { id: 'msg.reserved-flags', title: 'reserved flags set', item: 3, clause: header, ...robust },
    async (bench) => {
      const link = await bench.link();
      return link.react({ request: 'SET_OWNER', flags: (0xfffffff0 | FLAG_NEED_REPLY | FLAG_VERSION) >>> 0 });
    },
  ),
];

/** Numbers that nobody defined (item 4). */
export const UNKNOWN: readonly BackEndCheck[] = [
  ...[99, 0, 0xffffffff].flatMap((request) => {
    const name = request === 0xffffffff ? '2^32-1' : String(request);
    const entry = { title: `request ${name}, which nobody defined`, item: 4, clause: CLAUSE.replyAck };
    return [
      refuses({ ...entry, id: `msg.unknown-${name}`, impossible: true }, async (bench) => {
        const link = await bench.link();
        return link.react({ request, payload: EMPTY, flags: FLAG_VERSION | FLAG_NEED_REPLY });
      }),
      check(
        {
          ...entry,
          id: `msg.unknown-${name}-unasked`,
          requirement:
            'A back end does not answer what did not ask for a reply; it may close the connection.',
          mayClose: true,
        },
        async (bench) => {
          const link = await bench.link();
          const { reply, after } = await link.react({ request, payload: EMPTY, flags: FLAG_VERSION });
          if (after === 'hangs') return failed('hangs');
          if (reply !== null) return failed('a reply that nobody asked for');
          return after === 'closes'
            ? { verdict: 'disconnected', observed: 'closes' }
            : passed('no reply, stays');
        },
      ),
    ];
  }),
];

/** What replies look like, and when they come (item 9). */
export const REPLIES: readonly BackEndCheck[] = [
  check(
    {
      id: 'reply.acknowledges',
      title: 'need_reply on good messages',
      item: 9,
      clause: CLAUSE.replyAck,
      protocol: ['REPLY_ACK'],
      requirement: 'A back end answers each with a u64 of 0 and the flags 0x5, once.',
    },
    async (bench) => {
      const link = await bench.link();
      for (let i = 0; i < 3; i++) {
        const { reply, after } = await link.react({ request: 'SET_OWNER' });
        if (after !== 'stays' || reply !== 0n)
          return failed(`${reply === null ? 'no reply' : reply}, ${after}`);
      }
      return passed('0 each time');
    },
  ),
  check(
    {
      id: 'reply.unasked',
      title: 'good messages without need_reply',
      item: 9,
      clause: CLAUSE.replyAck,
      requirement: 'A back end sends no reply to a message that has none and did not ask for one.',
    },
    async (bench) => {
      const link = await bench.link();
      const { reply, after } = await link.react({ request: 'SET_OWNER', needReply: false });
      return reply === null && after === 'stays' ? passed('no reply') : failed(`a reply, ${after}`);
    },
  ),
];
