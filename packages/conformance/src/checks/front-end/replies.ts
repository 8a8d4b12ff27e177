import { CLAUSE, clauseOf, type Fd, FRONT } from '@vhostlab/vhost-user';
import type { Tampered } from '../../bench/tampered-socket.ts';
import type { FrontEndCheck } from '../../check.ts';
import { failed, outcome } from '../../report/verdict.ts';
import { check, judge } from './define.ts';

interface BadReply {
  readonly name: string;
  readonly title: string;
  readonly change: (bytes: Uint8Array) => Tampered;
}

/** A copy with a header word changed. */
function withWord(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const BAD: readonly BadReply[] = [
  {
    name: 'other-request',
    title: 'a reply to another request',
    change: (bytes) => ({ bytes: withWord(bytes, 0, FRONT.GET_QUEUE_NUM) }),
  },
  {
    name: 'unknown-request',
    title: 'a reply to a request that nobody defined',
    change: (bytes) => ({ bytes: withWord(bytes, 0, 4711) }),
  },
  {
    name: 'size-0',
    title: 'a reply without payload',
    change: (bytes) => ({ bytes: withWord(bytes, 8, 0).slice(0, 12) }),
  },
  {
    name: 'size-short',
    title: 'a reply with a byte too few',
    change: (bytes) => ({ bytes: withWord(bytes, 8, 7).slice(0, 19) }),
  },
  {
    name: 'size-long',
    title: 'a reply with a byte too many',
    change: (bytes) => ({ bytes: joined(withWord(bytes, 8, 9), Uint8Array.of(0)) }),
  },
  {
    name: 'size-2^32-1',
    title: 'a reply that promises 4 GiB',
    change: (bytes) => ({ bytes: withWord(bytes, 8, 0xffffffff).slice(0, 12) }),
  },
  {
    name: 'not-a-reply',
    title: 'a reply without the reply bit',
    change: (bytes) => ({ bytes: withWord(bytes, 4, 1) }),
  },
  {
    name: 'version-2',
    title: 'a reply of version 2',
    change: (bytes) => ({ bytes: withWord(bytes, 4, 6) }),
  },
  {
    name: 'twice',
    title: 'a reply, and the same again without request',
    change: (bytes) => ({ bytes: joined(bytes, bytes) }),
  },
  {
    name: 'truncated',
    title: 'half a header, then the end',
    change: (bytes) => ({ bytes: bytes.slice(0, 6), thenClose: true }),
  },
  { name: 'closed', title: 'the connection closed instead of a reply', change: () => 'close' },
];

/** Messages whose replies are tried: the first of all, and the first acknowledgement that matters. */
const TRIED = ['GET_FEATURES', 'GET_PROTOCOL_FEATURES', 'SET_MEM_TABLE'] as const;

/** How long a front end may wait for an answer before this goes on: it is bounded by the connection's end. */
function badReply(request: (typeof TRIED)[number], { name, title, change }: BadReply): FrontEndCheck {
  const number = FRONT[request];
  return check(
    {
      id: `fe.reply.${name}.${request}`,
      title: `${title}, to ${request}`,
      item: 33,
      clause: CLAUSE.header,
    },
    async (bench) => {
      let isDone = false;
      const visit = await bench.visit({
        packed: bench.isPacked,
        tamper: (sent, bytes) => {
          const isMeant = sent === number || (request === 'SET_MEM_TABLE' && sent === FRONT.ADD_MEM_REG);
          if (!isMeant || isDone) return { bytes };
          isDone = true;
          return change(bytes);
        },
      });
      await bench.until(visit, () => isDone);
      await bench.settle(visit);
      if (!isDone) return outcome('not-claimed', `it asks for no reply to ${request}`);
      return judge(bench, visit);
    },
  );
}

/** Replies as no back end may send them (item 33). */
export const FRONT_END_REPLIES: readonly FrontEndCheck[] = [
  ...TRIED.flatMap((request) => BAD.map((entry) => badReply(request, entry))),
  check(
    {
      id: 'fe.reply.refused.SET_MEM_TABLE',
      title: 'a memory table that the back end refuses',
      item: 33,
      clause: CLAUSE.replyAck,
      requirement: 'A front end does not start rings in memory that the back end has refused.',
    },
    async (bench) => {
      let isDone = false;
      const visit = await bench.visit({
        packed: bench.isPacked,
        tamper: (sent, bytes) => {
          if (sent !== FRONT.SET_MEM_TABLE && sent !== FRONT.ADD_MEM_REG) return { bytes };
          isDone = true;
          return { bytes: joined(bytes.slice(0, 12), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)) };
        },
      });
      await bench.until(visit, () => isDone);
      if (!isDone) return outcome('not-claimed', 'it asks for no reply to its memory');
      const ring = await visit.ring(0, bench.limits.pauseMs * 2);
      if (ring !== null) return failed('starts its rings all the same');
      return judge(bench, visit, 'starts no ring');
    },
  ),
  check(
    {
      id: 'fe.reply.descriptors',
      title: 'descriptors beside replies that have none',
      item: 33,
      clause: CLAUSE.ancillary,
      requirement: 'A front end closes what it did not ask for.',
    },
    async (bench) => {
      let strays: readonly Fd[] = [];
      const visit = await bench.visit({
        packed: bench.isPacked,
        tamper: (_sent, bytes, fds) => ({ bytes, fds: [...fds, ...strays] }),
      });
      const { fd, count } = bench.marked(visit);
      strays = new Array<Fd>(4).fill(fd);
      await visit.stocked(0, bench.limits.recoverMs);
      await bench.settle(visit, () => count() === bench.ownCopies(visit));
      const kept = count() - bench.ownCopies(visit);
      return kept > 0 ? failed(`${kept} descriptors are kept`) : judge(bench, visit);
    },
  ),
  check(
    {
      id: 'fe.reply.unasked',
      title: 'replies before anything was asked',
      item: 33,
      clause: clauseOf('GET_FEATURES'),
    },
    async (bench) => {
      const visit = await bench.visit({ packed: bench.isPacked });
      visit.sendRaw(Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
      await visit.stocked(0, bench.limits.pauseMs * 4);
      await bench.settle(visit);
      return judge(bench, visit);
    },
  ),
];
