import { monotonicMs } from '@vhostlab/host';
import {
  BACK,
  encodePayload,
  type Fd,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  FLAG_VERSION,
  frameBytes,
  type Payload,
} from '@vhostlab/vhost-user';
import type { FrontEndBench } from '../../bench/front-end-bench.ts';
import type { Visit } from '../../bench/visit.ts';
import type { FrontEndCheck } from '../../check.ts';
import { failed, type Outcome, outcome, passed } from '../../report/verdict.ts';
import type { Arrival } from '../../wire/wire.ts';
import { check, judge } from './define.ts';

const CLAUSE = 'vhost-user, Back-end message types';
const REFUSES =
  'A front end answers need_reply with a number other than 0, or closes the channel; the main connection goes on.';
const PAGE = 4096n;

interface Request {
  readonly request: number;
  readonly payload?: Payload | Uint8Array;
  readonly flags?: number;
  /** Size that the header says. */
  readonly size?: number;
  readonly fds?: readonly Fd[];
}

function bytesOf({ request, payload, flags, size }: Request): Uint8Array {
  const body =
    payload === undefined
      ? new Uint8Array()
      : payload instanceof Uint8Array
        ? payload
        : encodePayload(payload);
  return frameBytes(
    { request, flags: flags ?? FLAG_VERSION | FLAG_NEED_REPLY, size: size ?? body.length },
    body,
  );
}

/** A visit whose rings run and whose channel is there. */
async function channelOf(bench: FrontEndBench): Promise<Visit> {
  const visit = await bench.visit({ packed: bench.isPacked });
  await bench.stocked(visit, 0);
  return visit;
}

/** Asks on the channel; the answer, or how none came. */
async function ask(bench: FrontEndBench, visit: Visit, request: Request): Promise<Arrival> {
  const { channel } = visit;
  if (channel === null) return { kind: 'closed' };
  await channel.send(bytesOf(request), request.fds);
  return channel.next(bench.limits.replyMs);
}

/** The front end must not say that it has done it. */
async function mustRefuse(bench: FrontEndBench, request: Request): Promise<Outcome> {
  const visit = await channelOf(bench);
  const arrival = await ask(bench, visit, request);
  await bench.settle(visit);
  if (visit.ended !== null || bench.processEnded !== null) return judge(bench, visit);
  if (arrival.kind === 'closed' || arrival.kind === 'broken') return passed('closes the channel');
  if (arrival.kind === 'silent') return failed('no answer to need_reply');
  const { payload } = arrival.message;
  if (payload?.kind !== 'u64') return failed('another reply');
  return payload.value === 0n ? outcome('acknowledged', 'reply 0') : passed(`reply ${payload.value}`);
}

const area = (index: number, size: bigint, offset: bigint): Payload => ({
  kind: 'vring-area',
  index,
  noFd: false,
  size,
  offset,
});

const notifier = (payload: Payload): Request => ({ request: BACK.VRING_HOST_NOTIFIER_MSG, payload });

const REFUSED: readonly (readonly [string, string, Request])[] = [
  ['unknown', 'a request that nobody defined', { request: 4711 }],
  ['request-0', 'request 0', { request: 0 }],
  [
    'size-long',
    'a configuration change with a payload',
    { request: BACK.CONFIG_CHANGE_MSG, payload: new Uint8Array(8) },
  ],
  ['iotlb-short', 'an IOTLB message of 8 bytes', { request: BACK.IOTLB_MSG, payload: new Uint8Array(8) }],
  ['version-2', 'a request of version 2', { request: BACK.CONFIG_CHANGE_MSG, flags: 2 | FLAG_NEED_REPLY }],
  [
    'reply-bit',
    'a request that is marked as a reply',
    { request: BACK.CONFIG_CHANGE_MSG, flags: FLAG_VERSION | FLAG_REPLY | FLAG_NEED_REPLY },
  ],
  ['notifier-size', 'a host notifier that is no page', notifier(area(0, 17n, 0n))],
  ['notifier-offset', 'a host notifier behind the end of its file', notifier(area(0, PAGE, 2n ** 63n))],
  ['notifier-queue', 'a host notifier of ring 255', notifier(area(255, PAGE, 0n))],
  [
    'iotlb-type',
    'an IOTLB message of a type that nobody defined',
    { request: BACK.IOTLB_MSG, payload: { kind: 'iotlb', iova: 0n, size: 1n, uaddr: 0n, perm: 1, type: 77 } },
  ],
];

interface Flood {
  readonly name: string;
  readonly title: string;
  readonly request: Request;
}

const FLOODS: readonly Flood[] = [
  {
    name: 'iotlb-miss-flood',
    title: '20,000 missing translations',
    request: {
      request: BACK.IOTLB_MSG,
      flags: FLAG_VERSION,
      payload: { kind: 'iotlb', iova: 0x4000n, size: 1n, uaddr: 0n, perm: 1, type: 1 },
    },
  },
  {
    name: 'config-change-flood',
    title: '20,000 changes of the configuration',
    request: { request: BACK.CONFIG_CHANGE_MSG, flags: FLAG_VERSION },
  },
];

const FLOOD_MESSAGES = 20_000;
const FLOOD_MS = 2000;

/** What a back end may send on its own channel (item 32). */
export const FRONT_END_CHANNEL: readonly FrontEndCheck[] = [
  ...REFUSED.map(([name, title, request]) =>
    check(
      {
        id: `fe.channel.${name}`,
        title,
        item: 32,
        clause: CLAUSE,
        requirement: REFUSES,
        protocol: ['BACKEND_REQ'],
      },
      (bench) => mustRefuse(bench, request),
    ),
  ),
  check(
    {
      id: 'fe.channel.size-2^32-1',
      title: 'a header that promises 4 GiB',
      item: 32,
      clause: CLAUSE,
      requirement: 'A front end closes the channel; the main connection goes on.',
      protocol: ['BACKEND_REQ'],
    },
    async (bench) => {
      const visit = await channelOf(bench);
      await visit.channel?.send(bytesOf({ request: BACK.CONFIG_CHANGE_MSG, size: 0xffffffff }));
      const closed = await visit.channel?.untilClosed(bench.limits.replyMs);
      if (visit.ended !== null || bench.processEnded !== null) return judge(bench, visit);
      return closed === true ? passed('closes the channel') : failed('waits for them');
    },
  ),
  ...FLOODS.map(({ name, title, request }) =>
    check(
      {
        id: `fe.channel.${name}`,
        title,
        item: 32,
        clause: CLAUSE,
        requirement: 'A front end reads at its own pace or closes the channel; its rings go on.',
        protocol: ['BACKEND_REQ'],
      },
      async (bench) => {
        const visit = await channelOf(bench);
        const message = bytesOf(request);
        const end = monotonicMs() + FLOOD_MS;
        let sent = 0;
        while (sent < FLOOD_MESSAGES && monotonicMs() < end) {
          if (visit.channel === null || !(await visit.channel.send(message, [], bench.limits.pauseMs))) break;
          sent++;
        }
        await bench.settle(visit);
        return judge(bench, visit, `goes on after ${sent}`);
      },
    ),
  ),
];
