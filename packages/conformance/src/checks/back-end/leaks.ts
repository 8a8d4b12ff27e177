import { sleep } from '@vhostlab/host';
import {
  CLAUSE,
  clauseOf,
  EMPTY,
  FRONT,
  type FrontName,
  type ProtocolFeatureName,
} from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import type { FrontLink, Sent } from '../../bench/front-link.ts';
import { vringFd } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, type Outcome, passed } from '../../report/verdict.ts';
import { check } from './define.ts';

/** Repetitions before the first count, for what a peer allocates once. */
const WARM_UP = 32;
/** What a process may hold more after any number of repetitions. */
const MORE_DESCRIPTORS = 2;
const MORE_MAPPINGS = 16;
const MORE_RESIDENT_BYTES = 64 * 2 ** 20;
/** Messages between two answers that are waited for. */
const PER_ANSWER = 16;

const REGION = { guestPhysAddr: 0x100000n, memorySize: 0x10000n, userspaceAddr: 0x100000n, mmapOffset: 0n };

/** Compares what the peer's process holds before and after `times` turns. */
async function compare(bench: BackEndBench, times: number, turn: () => Promise<void>): Promise<Outcome> {
  for (let i = 0; i < WARM_UP; i++) await turn();
  await sleep(bench.limits.pauseMs);
  const before = bench.facts();
  for (let i = 0; i < times; i++) await turn();
  // what is closed late is closed by then
  await sleep(bench.limits.pauseMs);
  const after = bench.facts();
  if (before === undefined || after === undefined) return failed('its process has ended');
  const descriptors = after.descriptors - before.descriptors;
  const mappings = after.mappings - before.mappings;
  const resident = after.residentBytes - before.residentBytes;
  const mebibytes = Math.round(resident / 2 ** 20);
  const text = `after ${times}: ${descriptors} descriptors, ${mappings} mappings, ${mebibytes} MiB more`;
  const grows = descriptors > MORE_DESCRIPTORS || mappings > MORE_MAPPINGS || resident > MORE_RESIDENT_BYTES;
  return grows ? failed(text) : passed(text);
}

const REQUIREMENT =
  'A back end holds no more descriptors, mappings and memory after any number of repetitions.';

interface Repeated {
  readonly request: FrontName;
  readonly protocol?: readonly ProtocolFeatureName[];
  /** What is in the id behind the name of the message. */
  readonly variant?: string;
  readonly title?: string;
  readonly item?: number;
  /** One message; called once per check, and sent again and again. */
  readonly sent: (bench: BackEndBench) => Omit<Sent, 'request'>;
}

const REPEATED: readonly Repeated[] = [
  {
    request: 'GET_INFLIGHT_FD',
    protocol: ['INFLIGHT_SHMFD'],
    sent: () => ({
      payload: { kind: 'inflight', mmapSize: 0n, mmapOffset: 0n, numQueues: 2, queueSize: 64 },
    }),
  },
  { request: 'SET_VRING_NUM', sent: () => ({ payload: { kind: 'state', index: 0, num: 64 } }) },
  {
    request: 'SET_MEM_TABLE',
    sent: (bench) => ({
      payload: { kind: 'mem-table', regions: [REGION] },
      fds: [bench.file(0x10000)],
    }),
  },
  {
    request: 'SET_MEM_TABLE',
    variant: '-refused',
    title: 'a memory table that is refused, again and again',
    sent: (bench) => ({
      payload: { kind: 'mem-table', regions: [REGION, { ...REGION, memorySize: 0n }] },
      fds: [bench.file(0x10000), bench.file(0x10000)],
    }),
  },
  {
    request: 'SET_BACKEND_REQ_FD',
    protocol: ['BACKEND_REQ'],
    sent: (bench) => ({ payload: EMPTY, fds: [bench.socketPair()[0]] }),
  },
  { request: 'SET_VRING_CALL', sent: (bench) => ({ payload: vringFd(0), fds: [bench.event()] }) },
  { request: 'SET_VRING_ERR', sent: (bench) => ({ payload: vringFd(0), fds: [bench.event()] }) },
  { request: 'SET_VRING_KICK', sent: (bench) => ({ payload: vringFd(0), fds: [bench.event()] }) },
  {
    request: 'SET_LOG_BASE',
    protocol: ['LOG_SHMFD'],
    sent: (bench) => ({
      payload: { kind: 'log', mmapSize: 0x1000n, mmapOffset: 0n },
      fds: [bench.file(0x1000)],
    }),
  },
  {
    request: 'SET_INFLIGHT_FD',
    protocol: ['INFLIGHT_SHMFD'],
    sent: (bench) => ({
      payload: { kind: 'inflight', mmapSize: 0x10000n, mmapOffset: 0n, numQueues: 2, queueSize: 64 },
      fds: [bench.file(0x10000)],
    }),
  },
  {
    request: 'GET_FEATURES',
    variant: '-stray',
    title: 'a question with a descriptor that it does not take, again and again',
    item: 5,
    sent: (bench) => ({ fds: [bench.event()] }),
  },
];

/** Sends one message again and again on one connection, and on a new one where the peer has closed it. */
function repetition({ request, protocol = [], variant = '', title, item, sent }: Repeated): BackEndCheck {
  return check(
    {
      id: `leak.${request}${variant}`,
      title: title ?? `${request} again and again`,
      item: item ?? 7,
      clause: clauseOf(request),
      basis: 'robustness',
      requirement: REQUIREMENT,
      mayClose: true,
      protocol,
      needs: ['process'],
    },
    async (bench) => {
      const message: Sent = { request, needReply: false, ...sent(bench) };
      let link: FrontLink | null = null;
      let count = 0;
      // whole rounds: no answer is left unread when it is counted
      const times = Math.ceil(bench.repeats / PER_ANSWER) * PER_ANSWER;
      return compare(bench, times, async () => {
        link ??= await bench.link();
        const isSent = await link.send(message);
        if (isSent && ++count % PER_ANSWER !== 0) return;
        const after = isSent ? (await link.reactionTo(FRONT[request], false)).after : 'closes';
        link.wire.closeDescriptors();
        if (after === 'stays') return;
        link.wire.close();
        link = null;
      });
    },
  );
}

/** Pairs of messages and connections. */
const OTHERS: readonly BackEndCheck[] = [
  check(
    {
      id: 'leak.ADD_MEM_REG',
      title: 'a region added and removed, again and again',
      item: 7,
      clause: clauseOf('ADD_MEM_REG'),
      basis: 'robustness',
      requirement: REQUIREMENT,
      protocol: ['CONFIGURE_MEM_SLOTS'],
      needs: ['process'],
    },
    async (bench) => {
      const link = await bench.link();
      const payload = { kind: 'mem-region', region: REGION } as const;
      const fds = [bench.file(0x10000)];
      return compare(bench, bench.repeats, async () => {
        await link.must({ request: 'ADD_MEM_REG', payload, fds });
        await link.must({ request: 'REM_MEM_REG', payload });
      });
    },
  ),
  check(
    {
      id: 'leak.connections',
      title: 'connections with memory and descriptors, again and again',
      item: 8,
      clause: CLAUSE.header,
      basis: 'robustness',
      requirement: REQUIREMENT,
      needs: ['process'],
    },
    async (bench) => {
      const memory = bench.memory();
      const call = bench.event();
      return compare(bench, Math.min(bench.repeats, 200), async () => {
        const link = await bench.link();
        await link.must({ request: 'SET_VRING_CALL', payload: vringFd(0), fds: [call] });
        await link.must({ request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds });
        link.wire.close();
      });
    },
  ),
];

/** What is repeated must not pile up (items 7 and 8). */
export const LEAKS: readonly BackEndCheck[] = [...REPEATED.map(repetition), ...OTHERS];

/** Connections that end anywhere (item 8). */
export const STORMS: readonly BackEndCheck[] = [
  check(
    {
      id: 'storm.close-at-every-byte',
      title: 'the connection closed after each byte of a handshake',
      item: 8,
      clause: CLAUSE.header,
      basis: 'robustness',
      requirement: 'A back end forgets the connection and serves the next one.',
    },
    async (bench) => {
      const memory = bench.memory();
      const first = await bench.connect();
      const parts: Sent[] = [
        { request: 'GET_FEATURES' },
        { request: 'SET_OWNER' },
        { request: 'SET_FEATURES', payload: { kind: 'u64', value: bench.features } },
        { request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds },
        { request: 'SET_VRING_CALL', payload: vringFd(0), fds: [bench.event()] },
      ];
      const messages = parts.map((part) => ({ bytes: first.bytes(part), fds: part.fds ?? [] }));
      const total = messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
      first.wire.close();
      for (let end = 1; end <= total; end++) {
        const link = await bench.connect();
        let at = 0;
        for (const { bytes, fds } of messages) {
          const part = bytes.subarray(0, Math.max(0, end - at));
          if (part.length > 0) await link.wire.send(part, fds);
          at += bytes.length;
        }
        link.wire.close();
      }
      return passed(`${total} connections`);
    },
  ),
  check(
    {
      id: 'storm.reconnect',
      title: '200 connections that say nothing',
      item: 8,
      clause: CLAUSE.header,
      basis: 'robustness',
      requirement: 'A back end serves the next one.',
    },
    async (bench) => {
      for (let i = 0; i < 200; i++) (await bench.connect()).wire.close();
      return passed('200 connections');
    },
  ),
];
