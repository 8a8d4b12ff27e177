import { pipe, writeBytes } from '@vhostlab/host';
import { clauseOf, F_LOG_ALL, type PayloadOf, VRING_F_LOG } from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import { ringAddress } from '../../bench/raw-queue.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, passed } from '../../report/verdict.ts';
import { accepted, describeReaction, type Reaction, refused, survived } from '../../wire/reaction.ts';
import { check, type Entry, refuses, survives } from './define.ts';
import { stopped } from './ring-check.ts';

const LOG: Pick<Entry, 'item' | 'clause' | 'protocol'> = {
  item: 34,
  clause: clauseOf('SET_LOG_BASE'),
  protocol: ['LOG_SHMFD'],
};
const LAST_PAGE = 2n ** 64n - 4096n;
/** Covers 2 GiB, more than the guest has. */
const LOG_BYTES = 0x10000;

const log = (mmapSize: bigint, mmapOffset = 0n): PayloadOf<'log'> => ({ kind: 'log', mmapSize, mmapOffset });

async function setLog(
  bench: BackEndBench,
  payload: PayloadOf<'log'>,
  fileBytes = LOG_BYTES,
): Promise<Reaction> {
  const { link } = await bench.linkWithMemory();
  return link.react({ request: 'SET_LOG_BASE', payload, fds: [bench.file(fileBytes)] });
}

/** Dirty logging (item 34). */
const LOGGING: readonly BackEndCheck[] = [
  check(
    { ...LOG, id: 'log.good', title: 'a log that covers the memory', requirement: 'A back end answers.' },
    async (bench) => {
      const reaction = await setLog(bench, log(BigInt(LOG_BYTES)));
      if (reaction.after !== 'stays') return accepted(reaction);
      // peers answer 0 bytes, or a u64 of 0
      return reaction.reply === 'other' || reaction.reply === 0n
        ? passed(describeReaction(reaction))
        : failed(describeReaction(reaction));
    },
  ),
  refuses({ ...LOG, id: 'log.size-0', title: 'a log of no bytes', impossible: true }, (bench) =>
    setLog(bench, log(0n)),
  ),
  refuses(
    { ...LOG, id: 'log.offset-overflow', title: 'a log whose offset and size pass 2^64', impossible: true },
    (bench) => setLog(bench, log(0x2000n, LAST_PAGE)),
  ),
  refuses(
    { ...LOG, id: 'log.beyond-file', title: 'a log larger than its file', basis: 'robustness' },
    (bench) => setLog(bench, log(2n ** 30n)),
  ),
  check(
    {
      ...LOG,
      id: 'log.smaller-than-memory',
      title: 'a log that ends before the memory, and a frame that is written behind its end',
      basis: 'robustness',
      requirement: 'A back end refuses it, or writes nothing behind its end; it goes on serving.',
      mayClose: true,
      needs: ['echo'],
      features: F_LOG_ALL,
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const { link } = rig;
      // 1 MiB of guest memory in 32 bytes; the buffers are above
      const file = bench.file(4096);
      const reaction = await link.react({ request: 'SET_LOG_BASE', payload: log(32n), fds: [file] });
      const isTaken = reaction.reply === 'other' || reaction.reply === 0n;
      if (!isTaken || reaction.after !== 'stays') return refused(reaction);
      const features = link.acked | F_LOG_ALL;
      await link.must({ request: 'SET_FEATURES', payload: { kind: 'u64', value: features } });
      for (let i = 0; i < 4; i++) {
        if (!(await rig.transmit(rig.tx()))) return stopped(rig, 'a frame is not used any more');
      }
      rig.judge();
      const behind = bench.readFile(file, 4096).subarray(32);
      return behind.some((byte) => byte !== 0)
        ? failed('writes behind the end of the log')
        : passed('goes on');
    },
  ),
  check(
    {
      ...LOG,
      id: 'log.used-ring-outside',
      title: 'a used ring that is to be logged behind the end of the log',
      clause: clauseOf('SET_VRING_ADDR'),
      basis: 'robustness',
      requirement: 'A back end refuses it, or logs nothing behind the end of the log; it goes on serving.',
      mayClose: true,
      needs: ['traffic'],
      features: F_LOG_ALL,
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const { link } = rig;
      const file = bench.file(LOG_BYTES);
      await link.react({ request: 'SET_LOG_BASE', payload: log(0x1000n), fds: [file] });
      const features = link.acked | F_LOG_ALL;
      await link.must({ request: 'SET_FEATURES', payload: { kind: 'u64', value: features } });
      const address = { ...ringAddress(rig.tx()), flags: VRING_F_LOG, logGuestAddr: 0x2000_0000n };
      const outcome = survived(await link.react({ request: 'SET_VRING_ADDR', payload: address }));
      if (outcome.verdict !== 'passed') return outcome;
      if (!(await rig.transmit(rig.tx()))) return stopped(rig, 'a frame is not used any more');
      rig.judge();
      const behind = bench.readFile(file, LOG_BYTES).subarray(0x1000);
      return behind.some((byte) => byte !== 0) ? failed('writes behind the end of the log') : outcome;
    },
  ),
];

const INFLIGHT: Pick<Entry, 'item' | 'clause' | 'protocol'> = {
  item: 35,
  clause: clauseOf('SET_INFLIGHT_FD'),
  protocol: ['INFLIGHT_SHMFD'],
};

const inflight = (change: Partial<PayloadOf<'inflight'>> = {}): PayloadOf<'inflight'> => ({
  kind: 'inflight',
  mmapSize: 0x10000n,
  mmapOffset: 0n,
  numQueues: 2,
  queueSize: 64,
  ...change,
});

async function setInflight(bench: BackEndBench, payload: PayloadOf<'inflight'>): Promise<Reaction> {
  const link = await bench.link();
  return link.react({ request: 'SET_INFLIGHT_FD', payload, fds: [bench.file(0x10000)] });
}

/** Offsets in the header of a split queue of the inflight region: version, desc_num, last_batch_head, used_idx. */
const GARBAGE: readonly (readonly [string, string, readonly number[]])[] = [
  ['version', 'a version that nobody defined', [0xffff, 64, 0, 0]],
  ['desc-num', 'a number of descriptors that is not the queue size', [1, 0xffff, 0, 0]],
  ['batch-head', 'a last batch head outside of the queue', [1, 64, 0xffff, 3]],
  ['used-idx', 'a used index far from that of the ring', [1, 64, 0, 0x7777]],
];

/** The region for descriptors in flight (item 35). */
const INFLIGHTS: readonly BackEndCheck[] = [
  refuses({ ...INFLIGHT, id: 'inflight.num-queues', title: 'more queues than there are' }, (bench) =>
    setInflight(bench, inflight({ numQueues: 0xffff })),
  ),
  refuses({ ...INFLIGHT, id: 'inflight.size-small', title: 'fewer bytes than its queues need' }, (bench) =>
    setInflight(bench, inflight({ mmapSize: 64n })),
  ),
  refuses(
    { ...INFLIGHT, id: 'inflight.beyond-file', title: 'more bytes than its file has', basis: 'robustness' },
    (bench) => setInflight(bench, inflight({ mmapSize: 2n ** 30n })),
  ),
  refuses(
    {
      ...INFLIGHT,
      id: 'inflight.offset-overflow',
      title: 'an offset so that offset and size pass 2^64',
      impossible: true,
    },
    (bench) => setInflight(bench, inflight({ mmapOffset: LAST_PAGE })),
  ),
  survives(
    {
      ...INFLIGHT,
      id: 'inflight.get-num-queues',
      title: 'GET_INFLIGHT_FD for 65535 queues of 65535 descriptors',
      clause: clauseOf('GET_INFLIGHT_FD'),
      basis: 'robustness',
    },
    async (bench) => {
      const link = await bench.link();
      const payload = inflight({ mmapSize: 0n, numQueues: 0xffff, queueSize: 0xffff });
      return link.react({ request: 'GET_INFLIGHT_FD', payload });
    },
  ),
  ...GARBAGE.map(([name, title, fields]) =>
    check(
      {
        ...INFLIGHT,
        id: `inflight.garbage-${name}`,
        title: `a region with ${title}, and rings that start with it`,
        basis: 'robustness',
        requirement:
          'A back end refuses it, or starts the ring without it, or tells that the ring is broken; it uses only buffers that are offered.',
        mayClose: true,
        needs: ['traffic'],
      },
      async (bench) => {
        const rig = await bench.rig({ format: 'split', pairs: 1 });
        const { link } = rig;
        const question = { request: 'GET_INFLIGHT_FD', payload: inflight({ mmapSize: 0n }) } as const;
        const asked = await link.tryAsk(question);
        if (typeof asked === 'string' || asked.payload?.kind !== 'inflight') {
          return failed('no region to give back');
        }
        const area = asked.payload;
        const [fd] = link.wire.receivedDescriptors;
        if (fd === undefined) return failed('a region without a descriptor');
        const perQueue = Number(area.mmapSize) / area.numQueues;
        for (let queue = 0; queue < area.numQueues; queue++) {
          const at = Number(area.mmapOffset) + queue * perQueue;
          bench.writeFile(fd, at + 8, new Uint8Array(Uint16Array.from(fields).buffer));
          // every descriptor in flight, each the next of all
          for (let i = 0; i < 64; i++) {
            bench.writeFile(fd, at + 16 + 16 * i, Uint8Array.of(1, 0, 0, 0, 0, 0, 0xff, 0xff));
          }
        }
        const outcome = survived(await link.react({ request: 'SET_INFLIGHT_FD', payload: area, fds: [fd] }));
        if (outcome.verdict !== 'passed' || !outcome.observed.startsWith('reply 0')) return outcome;
        await rig.start();
        const isUsed = await rig.transmit(rig.tx());
        rig.judge();
        if (isUsed) return passed('the ring runs');
        const told = await rig.told(rig.tx());
        return told === ''
          ? stopped(rig, 'the ring stands still, and nobody is told')
          : passed(`stops, ${told}`);
      },
    ),
  ),
];

const STATE: Pick<Entry, 'item' | 'clause' | 'protocol'> = {
  item: 36,
  clause: clauseOf('SET_DEVICE_STATE_FD'),
  protocol: ['DEVICE_STATE'],
};

const transfer = (direction: number, phase = 0) => ({ kind: 'transfer', direction, phase }) as const;

/** How SET_DEVICE_STATE_FD was answered: its reply is an error code with the no-descriptor bit. */
async function setState(
  bench: BackEndBench,
  direction: number,
  phase: number,
  fill: (write: (bytes: Uint8Array) => void) => void = () => {},
) {
  const link = await bench.link();
  const [read, write] = pipe();
  bench.own(read);
  bench.own(write);
  fill((bytes) => void writeBytes(write, bytes));
  const fds = [direction === 0 ? write : read];
  const answer = await link.tryAsk({
    request: 'SET_DEVICE_STATE_FD',
    payload: transfer(direction, phase),
    fds,
  });
  return { link, answer, read, write };
}

/** The internal state of the device (item 36). */
const DEVICE_STATE: readonly BackEndCheck[] = [
  ...(
    [
      ['direction-2', 'a direction that nobody defined', 2, 0],
      ['phase-1', 'a phase that nobody defined', 0, 1],
    ] as const
  ).map(([name, title, direction, phase]) =>
    check(
      {
        ...STATE,
        id: `state.${name}`,
        title,
        requirement: 'A back end answers an error, or closes the connection.',
        mayClose: true,
      },
      async (bench) => {
        const { answer } = await setState(bench, direction, phase);
        if (answer === 'closed') return { verdict: 'disconnected', observed: 'closes' };
        if (answer === 'silent') return failed('no answer');
        const { payload } = answer;
        if (payload?.kind !== 'state-fd') return failed('another reply');
        return payload.error === 0 ? failed('no error') : passed(`error ${payload.error}`);
      },
    ),
  ),
  check(
    {
      ...STATE,
      id: 'state.never-ends',
      title: 'a state to load whose pipe never ends',
      basis: 'robustness',
      requirement: 'A back end answers other messages, or refuses, in bounded time.',
      mayClose: true,
    },
    async (bench) => {
      const { link, answer } = await setState(bench, 1, 0, (write) => write(new Uint8Array(16)));
      if (answer === 'closed') return { verdict: 'disconnected', observed: 'closes' };
      if (answer === 'silent') return failed('hangs');
      return survived(await link.reactionTo(0, false));
    },
  ),
  check(
    {
      ...STATE,
      id: 'state.endless',
      title: 'a state to load of 64 KiB of nothing, then its end',
      basis: 'robustness',
      requirement:
        'A back end takes no state from it: CHECK_DEVICE_STATE answers an error, or the connection closes.',
      mayClose: true,
    },
    async (bench) => {
      const { link, answer, write } = await setState(bench, 1, 0, (put) => {
        for (let i = 0; i < 16; i++) put(new Uint8Array(4096).fill(0xee));
      });
      write.close();
      if (answer === 'closed') return { verdict: 'disconnected', observed: 'closes' };
      if (answer === 'silent') return failed('hangs');
      const verdict = await link.tryAsk({ request: 'CHECK_DEVICE_STATE' });
      if (verdict === 'closed') return { verdict: 'disconnected', observed: 'closes' };
      if (verdict === 'silent') return failed('no answer to CHECK_DEVICE_STATE');
      return verdict.payload?.kind === 'u64' && verdict.payload.value !== 0n
        ? passed(`CHECK_DEVICE_STATE ${verdict.payload.value}`)
        : failed('CHECK_DEVICE_STATE 0: garbage was loaded');
    },
  ),
];

/** IOTLB messages that mean nothing (items 17 and 22 of the messages). */
const IOTLB: readonly BackEndCheck[] = [
  ...[0, 1, 4, 77].map((type) =>
    refuses(
      {
        id: `iotlb.type-${type}`,
        title: `IOTLB_MSG of type ${type}, which is not the front end's to send`,
        item: 17,
        clause: clauseOf('IOTLB_MSG'),
        impossible: true,
      },
      async (bench) => {
        const { link } = await bench.linkWithMemory();
        const payload = { kind: 'iotlb', iova: 0n, size: 4096n, uaddr: 0n, perm: 3, type } as const;
        return link.react({ request: 'IOTLB_MSG', payload });
      },
    ),
  ),
];

/** Messages of migration and translation. */
export const MIGRATION: readonly BackEndCheck[] = [...LOGGING, ...INFLIGHTS, ...DEVICE_STATE, ...IOTLB];
