import { CLAUSE, clauseOf, type FrontName, type Payload, type VringAddr } from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import { feature } from '../../bench/feature.ts';
import { LOW_BYTES } from '../../bench/guest-memory.ts';
import { ringAddress } from '../../bench/raw-queue.ts';
import { vringFd } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, passed } from '../../report/verdict.ts';
import { describeReaction, type Reaction, refused } from '../../wire/reaction.ts';
import { check, refuses, survives } from './define.ts';

/** Messages whose index has 32 bits. */
const WIDE = ['SET_VRING_NUM', 'SET_VRING_ADDR', 'SET_VRING_BASE', 'SET_VRING_ENABLE'] as const;
/** Messages whose index has 8 bits and comes with a descriptor. */
const NARROW = ['SET_VRING_KICK', 'SET_VRING_CALL', 'SET_VRING_ERR'] as const;

function indexed(request: (typeof WIDE)[number], index: number): Payload {
  if (request !== 'SET_VRING_ADDR') {
    return { kind: 'state', index, num: request === 'SET_VRING_NUM' ? 64 : 0 };
  }
  return { kind: 'addr', index, flags: 0, desc: 0n, used: 0n, avail: 0n, logGuestAddr: 0n };
}

const INDEX = 'vhost-user, A vring state description: the index is below the number of queues';

function wide(request: (typeof WIDE)[number], name: string, index: (bench: BackEndBench) => number) {
  return refuses(
    {
      id: `index.${name}.${request}`,
      title: `${request} of ring ${name}`,
      item: 15,
      clause: INDEX,
      impossible: true,
    },
    async (bench) => (await bench.link()).react({ request, payload: indexed(request, index(bench)) }),
  );
}

/** Rings that do not exist (item 15). */
const INDICES: readonly BackEndCheck[] = [
  ...WIDE.flatMap((request) => [
    wide(request, 'beyond-last', (bench) => 2 * bench.offer.queuePairs),
    wide(request, '65536', () => 0x10000),
    wide(request, '2^32-1', () => 0xffffffff),
  ]),
  ...NARROW.map((request) =>
    refuses(
      {
        id: `index.255.${request}`,
        title: `${request} of ring 255`,
        item: 15,
        clause: INDEX,
      },
      async (bench) => {
        const link = await bench.link();
        return link.react({ request, payload: vringFd(255), fds: [bench.event()] });
      },
    ),
  ),
  ...NARROW.map((request) =>
    refuses(
      {
        id: `index.reserved-bits.${request}`,
        title: `${request} with a bit set above the index and the no-descriptor flag`,
        item: 15,
        clause: clauseOf(request),
        basis: 'robustness',
      },
      async (bench) => {
        const link = await bench.link();
        const payload = { ...vringFd(0), reserved: 1n << 7n };
        return link.react({ request, payload, fds: [bench.event()] });
      },
    ),
  ),
  ...(['beyond-last', '65536', '2^32-1'] as const).map((name) =>
    check(
      {
        id: `index.${name}.GET_VRING_BASE`,
        title: `GET_VRING_BASE of ring ${name}`,
        item: 15,
        clause: INDEX,
        requirement:
          'A back end does not answer with the base of a ring that it does not have: it closes the connection, or answers an error.',
        mayClose: true,
      },
      async (bench) => {
        const link = await bench.link();
        const index = { 'beyond-last': 2 * bench.offer.queuePairs, 65536: 0x10000, '2^32-1': 0xffffffff }[
          name
        ];
        const answer = await link.tryAsk({
          request: 'GET_VRING_BASE',
          payload: { kind: 'state', index, num: 0 },
        });
        if (answer === 'closed') return { verdict: 'disconnected', observed: 'closes' };
        if (answer === 'silent') return failed('no answer');
        const { payload } = answer;
        return payload?.kind === 'state' && payload.index === index
          ? failed(`base ${payload.num}`)
          : passed('a reply without the ring');
      },
    ),
  ),
];

/** Queue sizes (item 16). */
const SIZES: readonly BackEndCheck[] = [0, 3, 300, 32769, 65536].map((num) =>
  refuses(
    {
      id: `num.${num}`,
      title: `a split ring of ${num} descriptors`,
      item: 16,
      clause: 'virtio 1.3, 2.7: queue size',
    },
    async (bench) => {
      const { link } = await bench.linkWithMemory();
      return link.react({ request: 'SET_VRING_NUM', payload: { kind: 'state', index: 0, num } });
    },
  ),
);

/**
 * Sets ring 0 up with these addresses, up to where it would run, and tells of the first message that was not
 * acknowledged, or of the last.
 */
async function withAddress(
  bench: BackEndBench,
  change: (good: VringAddr) => Partial<VringAddr>,
  num?: number,
): Promise<Reaction> {
  const rig = await bench.rig({ format: 'split', pairs: 1, fillRx: false });
  const { link, memory } = rig;
  const queue = rig.rx();
  await link.must({ request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds });
  const good = ringAddress(queue);
  const steps = [
    { request: 'SET_VRING_NUM', payload: { kind: 'state', index: 0, num: num ?? queue.size } },
    { request: 'SET_VRING_BASE', payload: { kind: 'state', index: 0, num: 0 } },
    { request: 'SET_VRING_ADDR', payload: { ...good, ...change(good) } },
    { request: 'SET_VRING_ENABLE', payload: { kind: 'state', index: 0, num: 1 } },
    { request: 'SET_VRING_KICK', payload: vringFd(0), fds: [queue.events.kick] },
  ] as const satisfies readonly { request: FrontName; payload: Payload; fds?: unknown }[];
  let reaction: Reaction = { reply: null, after: 'stays', asked: false };
  for (const step of steps) {
    reaction = await link.react(step);
    if (reaction.after !== 'stays' || (reaction.reply ?? 0n) !== 0n) break;
  }
  return reaction;
}

interface BadAddress {
  readonly id: string;
  readonly title: string;
  readonly change: (good: VringAddr) => Partial<VringAddr>;
  readonly num?: number;
}

const NOWHERE = 0x6666_0000_0000n;
/** The last page of the first region, as front-end address, from that of a ring in its first pages. */
const END = BigInt(LOW_BYTES);
const alignTo = (value: bigint, to: bigint): bigint => value - (value % to);

const BAD_ADDRESSES: readonly BadAddress[] = [
  {
    id: 'outside',
    title: 'outside of every region',
    change: () => ({ desc: NOWHERE, avail: NOWHERE + 0x1000n, used: NOWHERE + 0x2000n }),
  },
  {
    id: 'used-outside',
    title: 'with its used ring outside of every region',
    change: () => ({ used: NOWHERE }),
  },
  { id: 'zero', title: 'at address 0', change: () => ({ desc: 0n, avail: 0n, used: 0n }) },
  {
    id: 'past-end',
    title: 'whose descriptor table begins in a region and ends behind it',
    change: ({ desc }) => ({ desc: alignTo(desc, END) + END - 512n }),
  },
  {
    id: 'used-past-end',
    title: 'whose used ring begins in a region and ends behind it',
    change: ({ used }) => ({ used: alignTo(used, END) + END - 64n }),
  },
  {
    id: 'num-beyond-memory',
    title: 'of 32768 descriptors where the memory behind its addresses has less',
    change: ({ desc }) => ({ desc: alignTo(desc, END) + END - 0x4000n }),
    num: 32768,
  },
  {
    id: 'desc-unaligned',
    title: 'whose descriptor table is not at a multiple of 16',
    change: ({ desc }) => ({ desc: desc + 8n }),
  },
  {
    id: 'avail-unaligned',
    title: 'whose available ring is not at a multiple of 2',
    change: ({ avail }) => ({ avail: avail + 1n }),
  },
  {
    id: 'used-unaligned',
    title: 'whose used ring is not at a multiple of 4',
    change: ({ used }) => ({ used: used + 2n }),
  },
];

/** Addresses of rings (item 17). */
const ADDRESSES: readonly BackEndCheck[] = [
  ...BAD_ADDRESSES.map(({ id, title, change, num }) =>
    refuses(
      {
        id: `addr.${id}`,
        title: `a ring ${title}`,
        item: id === 'num-beyond-memory' ? 16 : 17,
        impossible: !id.endsWith('unaligned'),
        clause: id.endsWith('unaligned') ? 'virtio 1.3, 2.7: alignment' : clauseOf('SET_VRING_ADDR'),
        requirement:
          'A back end refuses the addresses when they come or at the latest when the ring would start, or closes the connection.',
      },
      (bench) => withAddress(bench, change, num),
    ),
  ),
  survives(
    {
      id: 'addr.same',
      title: 'a ring whose three areas are one',
      item: 17,
      clause: clauseOf('SET_VRING_ADDR'),
      basis: 'robustness',
    },
    (bench) => withAddress(bench, ({ desc }) => ({ avail: desc, used: desc })),
  ),
  survives(
    {
      id: 'addr.overlap',
      title: 'a ring in the middle of itself',
      item: 17,
      clause: clauseOf('SET_VRING_ADDR'),
      basis: 'robustness',
    },
    (bench) => withAddress(bench, ({ desc }) => ({ used: desc + 16n })),
  ),
  check(
    {
      id: 'addr.no-translation',
      title: 'a ring at an I/O virtual address that nobody has translated',
      item: 17,
      clause: CLAUSE.payload,
      basis: 'robustness',
      requirement: 'A back end waits for the translation or refuses the ring; it does not run it.',
      mayClose: true,
      protocol: ['BACKEND_REQ'],
      features: feature('ACCESS_PLATFORM'),
    },
    async (bench) => {
      const iova = 0x4000_0000n;
      const reaction = await withAddress(bench, () => ({
        desc: iova,
        avail: iova + 4096n,
        used: iova + 8192n,
      }));
      const outcome = refused(reaction);
      return outcome.verdict === 'failed' && reaction.after === 'stays'
        ? passed(`${describeReaction(reaction)}: waits`)
        : outcome;
    },
  ),
];

/** Rings as messages describe them (items 15 to 17). */
export const RING_SETUP: readonly BackEndCheck[] = [...INDICES, ...SIZES, ...ADDRESSES];
