import {
  CLAUSE,
  encodePayload,
  FRONT,
  type FrontName,
  type Payload,
  type ProtocolFeatureName,
} from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed } from '../../report/verdict.ts';
import { check, refuses } from './define.ts';

interface Sized {
  readonly request: FrontName;
  readonly payload: Payload;
  readonly protocol?: readonly ProtocolFeatureName[];
  /** Descriptors that belong to it. */
  readonly fds?: number;
}

const ADDRESS = {
  kind: 'addr',
  index: 0,
  flags: 0,
  desc: 0n,
  used: 0n,
  avail: 0n,
  logGuestAddr: 0n,
} as const;
const REGION = { guestPhysAddr: 0x100000n, memorySize: 0x10000n, userspaceAddr: 0x100000n, mmapOffset: 0n };

/** Messages of each form of payload, good but for what a check changes. */
const SIZED: readonly Sized[] = [
  { request: 'SET_FEATURES', payload: { kind: 'u64', value: 0n } },
  { request: 'SET_VRING_NUM', payload: { kind: 'state', index: 0, num: 64 } },
  { request: 'SET_VRING_ADDR', payload: ADDRESS },
  { request: 'SET_MEM_TABLE', payload: { kind: 'mem-table', regions: [REGION] }, fds: 1 },
  {
    request: 'ADD_MEM_REG',
    payload: { kind: 'mem-region', region: REGION },
    protocol: ['CONFIGURE_MEM_SLOTS'],
    fds: 1,
  },
  {
    request: 'SET_LOG_BASE',
    payload: { kind: 'log', mmapSize: 0x10000n, mmapOffset: 0n },
    protocol: ['LOG_SHMFD'],
    fds: 1,
  },
  { request: 'SET_STATUS', payload: { kind: 'u64', value: 0n }, protocol: ['STATUS'] },
];

/** A copy that is longer or shorter. */
function resized(bytes: Uint8Array, by: number): Uint8Array {
  const copy = new Uint8Array(Math.max(0, bytes.length + by));
  copy.set(bytes.subarray(0, copy.length));
  return copy;
}

async function react(bench: BackEndBench, { request, payload, fds = 0 }: Sized, by: number) {
  const link = await bench.link();
  const body = resized(encodePayload(payload), by);
  const files = Array.from({ length: fds }, () => bench.file(0x10000));
  return link.react({ request, payload: body, fds: files });
}

/** Payloads of the wrong size (item 2). */
export const SIZES: readonly BackEndCheck[] = [
  ...SIZED.flatMap((message) => {
    const { request, protocol = [] } = message;
    const entry = { item: 2, clause: CLAUSE.payload, protocol };
    const none = -encodePayload(message.payload).length;
    return [
      refuses({ ...entry, id: `msg.size-0.${request}`, title: `${request} without payload` }, (bench) =>
        react(bench, message, none),
      ),
      refuses(
        { ...entry, id: `msg.size-short.${request}`, title: `${request} with a byte too few` },
        (bench) => react(bench, message, -1),
      ),
      refuses(
        { ...entry, id: `msg.size-long.${request}`, title: `${request} with a byte too many` },
        (bench) => react(bench, message, 1),
      ),
    ];
  }),
  refuses(
    { id: 'msg.size-5000', title: 'a payload longer than any message has', item: 2, clause: CLAUSE.header },
    async (bench) => {
      const link = await bench.link();
      return link.react({ request: 'SET_OWNER', payload: new Uint8Array(5000) });
    },
  ),
  check(
    {
      id: 'msg.size-2^32-1',
      title: 'a header that promises 4 GiB',
      item: 2,
      clause: CLAUSE.header,
      requirement: 'A back end closes the connection, without waiting for bytes that no message has.',
      mayClose: true,
    },
    async (bench) => {
      const link = await bench.link();
      await link.send({ request: FRONT.SET_FEATURES, size: 0xffffffff, needReply: false });
      if (await link.wire.untilClosed(bench.limits.replyMs)) {
        return { verdict: 'disconnected', observed: 'closes' };
      }
      return failed('waits for them');
    },
  ),
];
