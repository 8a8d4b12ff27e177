import type { Fd } from '@vhostlab/host';
import { CLAUSE, clauseOf, encodePayload, type MemRegion } from '@vhostlab/vhost-user';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import type { BackEndCheck } from '../../check.ts';
import type { Reaction } from '../../wire/reaction.ts';
import { accepts, type Entry, refuses, survives } from './define.ts';

const BYTES = 0x100000;
const GOOD: MemRegion = {
  guestPhysAddr: 0x100000n,
  memorySize: BigInt(BYTES),
  userspaceAddr: 0x7f00_0010_0000n,
  mmapOffset: 0n,
};
/** Beside the good one in both address spaces. */
const OTHER: MemRegion = { ...GOOD, guestPhysAddr: 0x1000_0000n, userspaceAddr: 0x7f00_4000_0000n };
const LAST_PAGE = 2n ** 64n - 4096n;

/** Sends a table of these regions, each with a file of 1 MiB. */
async function table(bench: BackEndBench, regions: readonly MemRegion[], fds?: Fd[]): Promise<Reaction> {
  const link = await bench.link();
  const files = fds ?? regions.map(() => bench.file(BYTES));
  return link.react({ request: 'SET_MEM_TABLE', payload: { kind: 'mem-table', regions }, fds: files });
}

/** Sends a table that says `count` regions and has `there`. */
async function counted(bench: BackEndBench, count: number, there: number, fds: number): Promise<Reaction> {
  const link = await bench.link();
  const regions = Array.from({ length: there }, (_, i) => ({
    ...GOOD,
    guestPhysAddr: BigInt(i + 1) * 0x1000_0000n,
    userspaceAddr: 0x7f00_0000_0000n + BigInt(i) * 0x1000_0000n,
  }));
  const bytes = encodePayload({ kind: 'mem-table', regions });
  new DataView(bytes.buffer).setUint32(0, count, true);
  const files = Array.from({ length: fds }, () => bench.file(BYTES));
  return link.react({ request: 'SET_MEM_TABLE', payload: bytes, fds: files });
}

const TABLE = clauseOf('SET_MEM_TABLE');

/** How many regions there are (item 10). */
const COUNTS: readonly BackEndCheck[] = [
  survives({ id: 'mem.nregions-0', title: 'a table without regions', item: 10, clause: TABLE }, (bench) =>
    counted(bench, 0, 0, 0),
  ),
  refuses(
    {
      id: 'mem.nregions-9',
      title: 'nine regions, where eight are the most, with one descriptor',
      item: 10,
      clause: TABLE,
      impossible: true,
    },
    (bench) => counted(bench, 9, 9, 1),
  ),
  refuses(
    {
      id: 'mem.nregions-9-short',
      title: 'nine regions promised, eight there',
      item: 10,
      clause: TABLE,
      impossible: true,
    },
    (bench) => counted(bench, 9, 8, 1),
  ),
  refuses(
    { id: 'mem.nregions-2^32-1', title: '2^32-1 regions', item: 10, clause: TABLE, impossible: true },
    (bench) => counted(bench, 0xffffffff, 8, 8),
  ),
];

interface BadRegion {
  readonly id: string;
  readonly title: string;
  readonly change: Partial<MemRegion>;
  readonly impossible?: boolean;
}

const BAD: readonly BadRegion[] = [
  { id: 'size-0', title: 'a region of no bytes', change: { memorySize: 0n }, impossible: true },
  {
    id: 'offset-overflow',
    title: 'an offset in the file so that offset and size pass 2^64',
    change: { mmapOffset: LAST_PAGE },
    impossible: true,
  },
  {
    id: 'size-overflow',
    title: 'a size so that offset and size pass 2^64',
    change: { memorySize: LAST_PAGE, mmapOffset: 0x2000n },
    impossible: true,
  },
  { id: 'gpa-wrap', title: 'guest-physical addresses that pass 2^64', change: { guestPhysAddr: LAST_PAGE } },
  { id: 'uva-wrap', title: 'front-end addresses that pass 2^64', change: { userspaceAddr: LAST_PAGE } },
];

const beyond = (id: string, title: string, change: Partial<MemRegion>): BackEndCheck =>
  refuses({ id: `mem.${id}`, title, item: 12, clause: CLAUSE.regions, basis: 'robustness' }, (bench) =>
    table(bench, [{ ...GOOD, ...change }]),
  );

/** One region that cannot be (items 11 and 12). */
const REGIONS: readonly BackEndCheck[] = [
  ...BAD.map(({ id, title, change, impossible }) =>
    refuses(
      { id: `mem.${id}`, title, item: 11, clause: CLAUSE.regions, ...(impossible && { impossible }) },
      (bench) => table(bench, [{ ...GOOD, ...change }]),
    ),
  ),
  beyond('beyond-file', 'a region of 1 GiB in a file of 1 MiB', { memorySize: 2n ** 30n }),
  beyond('beyond-file-offset', 'a region whose last page is behind the end of its file', {
    mmapOffset: 4096n,
  }),
];

const overlapping = (id: string, title: string, change: Partial<MemRegion>): BackEndCheck =>
  refuses({ id: `mem.${id}`, title, item: 13, clause: CLAUSE.regions, basis: 'robustness' }, (bench) =>
    table(bench, [GOOD, { ...OTHER, ...change }]),
  );

/** Regions against each other, and against pages (item 13). */
const PLACES: readonly BackEndCheck[] = [
  overlapping('overlap-gpa', 'two regions that overlap in guest-physical memory', {
    guestPhysAddr: GOOD.guestPhysAddr + 0x80000n,
  }),
  overlapping('overlap-uva', 'two regions that overlap in front-end addresses', {
    userspaceAddr: GOOD.userspaceAddr + 0x80000n,
  }),
  survives(
    {
      id: 'mem.unaligned-offset',
      title: 'an offset in the file that is no multiple of the page',
      item: 13,
      clause: CLAUSE.regions,
    },
    (bench) => table(bench, [{ ...GOOD, memorySize: 0x8000n, mmapOffset: 0x1234n }]),
  ),
  survives(
    {
      id: 'mem.unaligned-huge',
      title: 'an offset of 4 KiB in a file of 2 MiB pages',
      item: 13,
      clause: CLAUSE.regions,
      basis: 'robustness',
    },
    (bench) => table(bench, [{ ...GOOD, memorySize: 0x1000n, mmapOffset: 0x1000n }], [bench.hugeFile()]),
  ),
];

const SLOTS: Pick<Entry, 'item' | 'protocol'> = { item: 14, protocol: ['CONFIGURE_MEM_SLOTS'] };

/** Slots that are added and removed (item 14). */
const MEM_SLOTS: readonly BackEndCheck[] = [
  accepts(
    { id: 'mem.slots-good', title: 'a region added and removed', ...SLOTS, clause: clauseOf('ADD_MEM_REG') },
    async (bench) => {
      const link = await bench.link();
      const payload = { kind: 'mem-region', region: GOOD } as const;
      await link.must({ request: 'ADD_MEM_REG', payload, fds: [bench.file(BYTES)] });
      return link.react({ request: 'REM_MEM_REG', payload });
    },
  ),
  refuses(
    {
      id: 'mem.remove-unknown',
      title: 'a region removed that was never added',
      ...SLOTS,
      clause: clauseOf('REM_MEM_REG'),
      impossible: true,
    },
    async (bench) => {
      const { link } = await bench.linkWithMemory();
      const region = { ...GOOD, guestPhysAddr: 0x7000_0000n, userspaceAddr: 0x7000_0000n };
      return link.react({ request: 'REM_MEM_REG', payload: { kind: 'mem-region', region } });
    },
  ),
  survives(
    {
      id: 'mem.remove-with-fd',
      title: 'a region removed by a message that brings a descriptor, as some front ends do',
      ...SLOTS,
      clause: clauseOf('REM_MEM_REG'),
    },
    async (bench) => {
      const link = await bench.link();
      const payload = { kind: 'mem-region', region: GOOD } as const;
      const fds = [bench.file(BYTES)];
      await link.must({ request: 'ADD_MEM_REG', payload, fds });
      return link.react({ request: 'REM_MEM_REG', payload, fds });
    },
  ),
  refuses(
    {
      id: 'mem.add-beyond-slots',
      title: 'one region more than GET_MAX_MEM_SLOTS says',
      ...SLOTS,
      clause: clauseOf('ADD_MEM_REG'),
    },
    async (bench) => {
      const link = await bench.link();
      const { value } = await link.ask({ request: 'GET_MAX_MEM_SLOTS' }, 'u64');
      const slots = Number(value);
      const file = bench.file(4096);
      const add = (slot: number) => ({
        request: 'ADD_MEM_REG' as const,
        payload: {
          kind: 'mem-region',
          region: {
            guestPhysAddr: BigInt(slot) * 0x10000n,
            memorySize: 4096n,
            userspaceAddr: 0x7f00_0000_0000n + BigInt(slot) * 0x10000n,
            mmapOffset: 0n,
          },
        } as const,
        fds: [file],
      });
      for (let slot = 0; slot < Math.min(slots, 1024); slot++) await link.must(add(slot));
      return link.react(add(slots));
    },
  ),
  refuses(
    {
      id: 'mem.add-overlap',
      title: 'a region added over one that is there',
      ...SLOTS,
      clause: CLAUSE.regions,
      basis: 'robustness',
    },
    async (bench) => {
      const { link, memory } = await bench.linkWithMemory();
      const [first] = memory.regions;
      const region = { ...first, userspaceAddr: 0x7000_0000_0000n };
      const fds = [bench.file(Number(first.memorySize))];
      return link.react({ request: 'ADD_MEM_REG', payload: { kind: 'mem-region', region }, fds });
    },
  ),
];

/** The memory table by itself (items 10 to 14). */
export const MEMORY: readonly BackEndCheck[] = [...COUNTS, ...REGIONS, ...PLACES, ...MEM_SLOTS];
