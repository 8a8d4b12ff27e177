import { eventFd, type Fd, pipe, setBlocking, writeBytes } from '@vhostlab/host';
import { clauseOf } from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import type { RawQueue } from '../../bench/raw-queue.ts';
import type { Rig } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, outcome, passed } from '../../report/verdict.ts';
import { survived } from '../../wire/reaction.ts';
import { check } from './define.ts';

const KICK = clauseOf('SET_VRING_KICK');
const CALL = clauseOf('SET_VRING_CALL');
const ALIVE =
  'A back end keeps the connection and other rings going, and waits for nobody when it reads kicks and writes calls.';

interface Odd {
  readonly id: string;
  readonly title: string;
  readonly which: 'kick' | 'call';
  readonly make: (bench: BackEndBench, rig: Rig, queue: RawQueue) => Fd;
  /** The ring can run with it. */
  readonly runs: boolean;
}

/** A pipe whose writer has gone: always readable, never anything to read. */
function endedPipe(bench: BackEndBench): Fd {
  const [read, write] = pipe();
  write.close();
  return bench.own(read);
}

/** A pipe whose reader has gone: writing to it raises SIGPIPE. */
function readerlessPipe(bench: BackEndBench): Fd {
  const [read, write] = pipe();
  read.close();
  return bench.own(write);
}

/** A pipe that is full, and whose writers wait. */
function fullPipe(bench: BackEndBench): Fd {
  const [read, write] = pipe();
  bench.own(read);
  const block = new Uint8Array(4096);
  while (typeof writeBytes(write, block) === 'number');
  setBlocking(write);
  return bench.own(write);
}

/** An eventfd at its largest value, whose writers wait. */
function fullEvent(bench: BackEndBench): Fd {
  const fd = bench.own(eventFd());
  writeBytes(fd, new Uint8Array(new BigUint64Array([0xfffffffffffffffen]).buffer));
  setBlocking(fd);
  return fd;
}

const ODD: readonly Odd[] = [
  {
    id: 'kick-is-call',
    title: 'one eventfd for kick and call',
    which: 'kick',
    make: (_bench, _rig, queue) => queue.events.call,
    runs: false,
  },
  {
    id: 'kick-is-the-socket',
    title: 'the vhost-user socket as kick',
    which: 'kick',
    make: (_bench, rig) => rig.link.wire.fd,
    runs: false,
  },
  {
    id: 'call-is-the-socket',
    title: 'the vhost-user socket as call',
    which: 'call',
    make: (_bench, rig) => rig.link.wire.fd,
    runs: true,
  },
  {
    id: 'kick-always-readable',
    title: 'a kick that is always readable and never has anything',
    which: 'kick',
    make: endedPipe,
    runs: false,
  },
  {
    id: 'call-full-pipe',
    title: 'a call pipe that is full and whose writers wait',
    which: 'call',
    make: fullPipe,
    runs: true,
  },
  {
    id: 'call-full-eventfd',
    title: 'a call eventfd at its largest value, whose writers wait',
    which: 'call',
    make: fullEvent,
    runs: true,
  },
  {
    id: 'call-without-reader',
    title: 'a call pipe whose reader has gone',
    which: 'call',
    make: readerlessPipe,
    runs: true,
  },
];

/** Eventfds that are something else (item 19). */
export const EVENTS: readonly BackEndCheck[] = [
  ...ODD.map(({ id, title, which, make, runs }) =>
    check(
      {
        id: `event.${id}`,
        title,
        item: 19,
        clause: which === 'kick' ? KICK : CALL,
        basis: 'robustness',
        requirement: ALIVE,
        mayClose: true,
        needs: ['traffic'],
      },
      async (bench) => {
        const pairs = Math.min(bench.offer.queuePairs, 2);
        const rig = await bench.running({ format: 'split', pairs });
        const queue = rig.tx();
        const fd = make(bench, rig, queue);
        const taken = survived(
          which === 'kick' ? await rig.restart(queue, fd) : await rig.restart(queue, undefined, fd),
        );
        if (taken.verdict !== 'passed') return taken;
        const isRefused = !taken.observed.startsWith('reply 0');
        for (let i = 0; i < 3; i++) {
          const id = rig.change(() => queue.offer([rig.frame()]));
          const waitMs = runs && !isRefused ? bench.limits.ringMs : bench.limits.pauseMs;
          const isUsed = await rig.completes(queue, id, waitMs);
          if (runs && !isUsed && !isRefused) return failed(`${taken.observed}, and then uses nothing`);
        }
        if (pairs > 1 && !(await rig.transmit(rig.tx(1)))) return failed('another queue stopped');
        rig.judge();
        // calls into the socket arrive here, between messages
        if (id === 'call-is-the-socket') return passed(taken.observed);
        const { after } = await rig.link.reactionTo(0, false);
        if (after === 'hangs') return failed('answers no message any more');
        return after === 'closes' ? outcome('disconnected', 'closes') : taken;
      },
    ),
  ),
  check(
    {
      id: 'ring.kick-flood',
      title: '10,000 kicks without a buffer',
      item: 20,
      clause: KICK,
      basis: 'robustness',
      requirement: 'A back end keeps every ring going and answers messages.',
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      for (let i = 0; i < 10_000; i++) {
        rig.tx().kick();
        if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (!(await rig.transmit(rig.tx()))) return failed('nothing is used any more');
      const { after } = await rig.link.reactionTo(0, false);
      rig.judge();
      return after === 'stays' ? passed('goes on') : failed(`messages: ${after}`);
    },
  ),
];
