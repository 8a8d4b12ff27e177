import { F_SEAL_GROW, F_SEAL_SHRINK, type Fd, openPath, pipe } from '@vhostlab/host';
import {
  CLAUSE,
  clauseOf,
  EMPTY,
  FRONT_MESSAGES,
  type FrontMessage,
  type FrontName,
  type Payload,
} from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import { vringFd } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { accepts, type Entry, refuses, survives } from './define.ts';

const REGION = { guestPhysAddr: 0x100000n, memorySize: 0x10000n, userspaceAddr: 0x100000n, mmapOffset: 0n };
const REGION_BYTES = 0x10000;
const ONE_REGION: Payload = { kind: 'mem-table', regions: [REGION] };

/** A good payload for messages that carry no descriptor. */
function plainPayload({ name, payload }: FrontMessage, bench: BackEndBench): Payload {
  switch (payload) {
    case 'u64':
      if (name === 'NET_SET_MTU') return { kind: 'u64', value: 1500n };
      return { kind: 'u64', value: name === 'SET_FEATURES' ? bench.features : 0n };
    case 'state':
      return { kind: 'state', index: 0, num: name === 'SET_VRING_NUM' ? 64 : 0 };
    case 'addr':
      return { kind: 'addr', index: 0, flags: 0, desc: 0n, used: 0n, avail: 0n, logGuestAddr: 0n };
    case 'mac':
      return { kind: 'mac', mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, 1) };
    case 'config':
      return { kind: 'config', offset: 0, size: 6, flags: 0, region: new Uint8Array(6) };
    case 'inflight':
      return { kind: 'inflight', mmapSize: 0n, mmapOffset: 0n, numQueues: 2, queueSize: 64 };
    default:
      return EMPTY;
  }
}

const STRAY: readonly FrontName[] = [
  'GET_FEATURES',
  'SET_FEATURES',
  'SET_OWNER',
  'SET_VRING_NUM',
  'SET_VRING_ADDR',
  'SET_VRING_BASE',
  'GET_VRING_BASE',
  'GET_PROTOCOL_FEATURES',
  'GET_QUEUE_NUM',
  'SET_VRING_ENABLE',
  'SEND_RARP',
  'NET_SET_MTU',
  'GET_CONFIG',
  'GET_INFLIGHT_FD',
  'RESET_DEVICE',
  'GET_MAX_MEM_SLOTS',
  'SET_STATUS',
  'GET_STATUS',
  'CHECK_DEVICE_STATE',
];

function strayCheck(name: FrontName, count: number): BackEndCheck {
  const row = FRONT_MESSAGES.find((one) => one.name === name)!;
  const entry: Entry = {
    id: `fd.stray-${count}.${name}`,
    title: `${name} with ${count} descriptors that it does not take`,
    item: 5,
    clause: CLAUSE.ancillary,
    basis: 'robustness',
    protocol: row.feature === undefined ? [] : [row.feature],
  };
  return survives(entry, async (bench) => {
    const link = await bench.link();
    const fd = bench.event();
    return link.react({
      request: name,
      payload: plainPayload(row, bench),
      fds: new Array<Fd>(count).fill(fd),
    });
  });
}

interface Needing {
  readonly request: FrontName;
  readonly payload: Payload;
  readonly protocol?: Entry['protocol'];
}

/** Messages that need a descriptor. */
const NEEDING: readonly Needing[] = [
  { request: 'SET_MEM_TABLE', payload: ONE_REGION },
  { request: 'SET_VRING_KICK', payload: vringFd(0) },
  { request: 'SET_VRING_CALL', payload: vringFd(0) },
  { request: 'SET_VRING_ERR', payload: vringFd(0) },
  {
    request: 'SET_LOG_BASE',
    payload: { kind: 'log', mmapSize: 0x10000n, mmapOffset: 0n },
    protocol: ['LOG_SHMFD'],
  },
  { request: 'SET_BACKEND_REQ_FD', payload: EMPTY, protocol: ['BACKEND_REQ'] },
  {
    request: 'ADD_MEM_REG',
    payload: { kind: 'mem-region', region: REGION },
    protocol: ['CONFIGURE_MEM_SLOTS'],
  },
  {
    request: 'SET_INFLIGHT_FD',
    payload: { kind: 'inflight', mmapSize: 0x10000n, mmapOffset: 0n, numQueues: 2, queueSize: 64 },
    protocol: ['INFLIGHT_SHMFD'],
  },
  {
    request: 'SET_DEVICE_STATE_FD',
    payload: { kind: 'transfer', direction: 0, phase: 0 },
    protocol: ['DEVICE_STATE'],
  },
];

type Maker = (bench: BackEndBench) => Fd;

/** Descriptors that are no memory. */
const WRONG_MEMORY: readonly (readonly [string, Maker])[] = [
  ['socket', (bench) => bench.socketPair()[0]],
  ['dev-null', (bench) => bench.own(openPath('/dev/null', 'read-write'))],
  ['pipe', (bench) => ownPair(bench)[0]],
  ['eventfd', (bench) => bench.event()],
  ['read-only', (bench) => bench.own(openPath(`/proc/self/fd/${bench.file(REGION_BYTES).number}`, 'read'))],
];

/** Descriptors that are no eventfd. */
const WRONG_EVENT: readonly (readonly [string, Maker])[] = [
  ['socket', (bench) => bench.socketPair()[0]],
  ['dev-null', (bench) => bench.own(openPath('/dev/null', 'read-write'))],
  ['file', (bench) => bench.file(4096)],
  ['pipe-end', (bench) => ownPair(bench)[1]],
];

function ownPair(bench: BackEndBench): [Fd, Fd] {
  const ends = pipe();
  for (const end of ends) bench.own(end);
  return ends;
}

/** Descriptors beside messages: too many, too few, of the wrong kind, at the wrong place (items 5 and 6). */
export const DESCRIPTORS: readonly BackEndCheck[] = [
  ...STRAY.flatMap((name) => [strayCheck(name, 1), strayCheck(name, 8)]),
  strayCheck('SET_OWNER', 253),
  survives(
    {
      id: 'fd.stray-253.SET_VRING_CALL',
      title: 'SET_VRING_CALL with 253 descriptors, where one belongs to it',
      item: 5,
      clause: CLAUSE.ancillary,
      basis: 'robustness',
    },
    async (bench) => {
      const link = await bench.link();
      const fds = new Array<Fd>(253).fill(bench.event());
      return link.react({ request: 'SET_VRING_CALL', payload: vringFd(0), fds });
    },
  ),
  ...NEEDING.map(({ request, payload, protocol = [] }) =>
    refuses(
      {
        id: `fd.missing.${request}`,
        title: `${request} without its descriptor`,
        item: 5,
        clause: clauseOf(request),
        protocol,
      },
      async (bench) => (await bench.link()).react({ request, payload }),
    ),
  ),
  refuses(
    {
      id: 'fd.fewer-than-regions',
      title: 'two regions with one descriptor',
      item: 5,
      clause: clauseOf('SET_MEM_TABLE'),
      impossible: true,
    },
    async (bench) => {
      const link = await bench.link();
      const regions = [REGION, { ...REGION, guestPhysAddr: 0x200000n, userspaceAddr: 0x200000n }];
      return link.react({
        request: 'SET_MEM_TABLE',
        payload: { kind: 'mem-table', regions },
        fds: [bench.file(REGION_BYTES)],
      });
    },
  ),
  survives(
    {
      id: 'fd.more-than-regions',
      title: 'one region with two descriptors',
      item: 5,
      clause: clauseOf('SET_MEM_TABLE'),
      basis: 'robustness',
    },
    async (bench) => {
      const link = await bench.link();
      const fds = [bench.file(REGION_BYTES), bench.file(REGION_BYTES)];
      return link.react({ request: 'SET_MEM_TABLE', payload: ONE_REGION, fds });
    },
  ),
  ...WRONG_MEMORY.map(([kind, make]) =>
    refuses(
      {
        id: `fd.memory-${kind}`,
        title: `a memory region in a ${kind}, which cannot be mapped for writing`,
        item: 5,
        clause: clauseOf('SET_MEM_TABLE'),
        impossible: true,
      },
      async (bench) => {
        const link = await bench.link();
        return link.react({ request: 'SET_MEM_TABLE', payload: ONE_REGION, fds: [make(bench)] });
      },
    ),
  ),
  accepts(
    {
      id: 'fd.memory-sealed',
      title: 'a memory region in a file sealed against growing and shrinking',
      item: 5,
      clause: clauseOf('SET_MEM_TABLE'),
    },
    async (bench) => {
      const link = await bench.link();
      const fd = bench.file(REGION_BYTES, F_SEAL_SHRINK | F_SEAL_GROW);
      return link.react({ request: 'SET_MEM_TABLE', payload: ONE_REGION, fds: [fd] });
    },
  ),
  ...(['SET_VRING_KICK', 'SET_VRING_CALL'] as const).flatMap((request) =>
    WRONG_EVENT.map(([kind, make]) =>
      survives(
        {
          id: `fd.${request === 'SET_VRING_KICK' ? 'kick' : 'call'}-${kind}`,
          title: `${request} with a ${kind}`,
          item: 5,
          clause: clauseOf(request),
          basis: 'robustness',
        },
        async (bench) => {
          const link = await bench.link();
          return link.react({ request, payload: vringFd(0), fds: [make(bench)] });
        },
      ),
    ),
  ),
  survives(
    {
      id: 'fd.second-part',
      title: 'the descriptor comes with the payload instead of the header',
      item: 6,
      clause: CLAUSE.ancillary,
      requirement: 'A back end takes descriptors of the first byte only; it keeps none of the others.',
    },
    async (bench) => {
      const link = await bench.link();
      const bytes = link.bytes({ request: 'SET_MEM_TABLE', payload: ONE_REGION });
      await link.wire.send(bytes.subarray(0, 12));
      await link.wire.send(bytes.subarray(12), [bench.file(REGION_BYTES)]);
      return link.reactionTo(5, link.hasReplyAck);
    },
  ),
];
