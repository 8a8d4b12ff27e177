import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT } from '@vhostlab/virtqueue';
import { feature } from '../../bench/feature.ts';
import { HIGH_GPA, HOLE_GPA } from '../../bench/guest-memory.ts';
import type { RawQueue, Segment } from '../../bench/raw-queue.ts';
import { frameImage, NET_HEADER_BYTES, RING_SIZE, type Rig } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { bufferChecks, type RingEntry } from './ring-check.ts';

const INDIRECT = VIRTQ_DESC_F_INDIRECT;
const NEXT = VIRTQ_DESC_F_NEXT;
const INDIRECT_CLAUSE = 'virtio 1.3, 2.7.5.3 and 2.8.7';
const ORDER_CLAUSE = 'virtio 1.3, 2.7.4.2 and 2.8.5';
const FRAMING_CLAUSE = 'virtio 1.3, 2.7.4.1: no assumptions about framing';
const BUFFER_CLAUSE = 'virtio 1.3, 2.7.5 and 2.8.5';

type Segments = (rig: Rig, queue: RawQueue) => readonly Segment[];
type Row = readonly [RingEntry, Segments];

const WITH_INDIRECT = { needs: ['indirect'], features: feature('INDIRECT_DESC') } as const;

/** One INDIRECT descriptor that says `bytes` at `table`. */
function indirect(table: number | bigint, bytes: number): Segment[] {
  return [{ address: table, bytes, writable: false, flags: INDIRECT }];
}

/** The last word of an entry of an indirect table: flags and next, or id and flags. */
function last({ format }: RawQueue, flags: number, next = 0): number {
  return format === 'split' ? ((next & 0xffff) << 16) | flags : (flags & ~NEXT) << 16;
}

/** A table of `count` descriptors of one byte each, linked by NEXT where the format has that. */
function longTable(rig: Rig, queue: RawQueue, count: number): number {
  const table = rig.allocate(16 * count);
  const byte = rig.allocate(1);
  for (let i = 0; i < count; i++) {
    const word = i === count - 1 ? 0 : last(queue, NEXT, i + 1);
    rig.memory.descriptor(table + 16 * i, byte, 1, word);
  }
  return table;
}

/** A good frame behind an indirect table at `table`, described by one descriptor. */
function frameTable(rig: Rig, table: number): Segment[] {
  const { address, bytes } = rig.frame();
  rig.memory.descriptor(table, address, bytes, 0);
  return indirect(table, 16);
}

/** Indirect tables (item 22). */
const INDIRECTS: readonly Row[] = [
  [
    {
      name: 'indirect-good',
      title: 'a frame behind an indirect table',
      item: 22,
      clause: INDIRECT_CLAUSE,
      isGood: true,
      ...WITH_INDIRECT,
    },
    (rig) => frameTable(rig, rig.allocate(16)),
  ],
  [
    {
      name: 'indirect-without-feature',
      title: 'INDIRECT although it was not negotiated',
      item: 22,
      clause: INDIRECT_CLAUSE,
    },
    (rig) => frameTable(rig, rig.allocate(16)),
  ],
  [
    {
      name: 'indirect-len-0',
      title: 'an indirect table of no bytes',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig) => indirect(rig.allocate(16), 0),
  ],
  [
    {
      name: 'indirect-len-24',
      title: 'an indirect table of one and a half entries',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig, queue) => indirect(longTable(rig, queue, 2), 24),
  ],
  [
    {
      name: 'indirect-over-queue',
      title: 'an indirect table longer than the queue',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig, queue) => indirect(longTable(rig, queue, RING_SIZE + 1), 16 * (RING_SIZE + 1)),
  ],
  [
    {
      name: 'indirect-2^32',
      title: 'an indirect table of 4 GiB',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig, queue) => indirect(longTable(rig, queue, 2), 0xfffffff0),
  ],
  [
    {
      name: 'indirect-nested',
      title: 'INDIRECT inside an indirect table',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig, queue) => {
      const table = rig.allocate(16);
      const inner = longTable(rig, queue, 1);
      rig.memory.descriptor(table, inner, 16, last(queue, INDIRECT));
      return indirect(table, 16);
    },
  ],
  [
    {
      name: 'indirect-itself',
      title: 'an indirect table that names itself',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig, queue) => {
      const table = rig.allocate(16);
      rig.memory.descriptor(table, table, 16, last(queue, INDIRECT));
      return indirect(table, 16);
    },
  ],
  [
    {
      name: 'indirect-unaligned',
      title: 'an indirect table at an odd address',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig) => indirect(rig.allocate(64) + 1, 16),
  ],
  [
    {
      name: 'indirect-crossing',
      title: 'an indirect table across two regions',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (rig, queue) => {
      const { address, bytes } = rig.frame();
      rig.memory.descriptor(HIGH_GPA - 16, address, NET_HEADER_BYTES, last(queue, NEXT, 1));
      rig.memory.descriptor(HIGH_GPA, Number(address) + NET_HEADER_BYTES, bytes - NET_HEADER_BYTES, 0);
      return indirect(HIGH_GPA - 16, 32);
    },
  ],
  [
    {
      name: 'indirect-nowhere',
      title: 'an indirect table outside of every region',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    () => indirect(HOLE_GPA, 32),
  ],
  [
    {
      name: 'indirect-in-the-ring',
      title: 'an indirect table in the ring itself',
      item: 22,
      clause: INDIRECT_CLAUSE,
      ...WITH_INDIRECT,
    },
    (_rig, queue) => indirect(queue.at.desc, 32),
  ],
];

const readable = (address: number | bigint, bytes: number): Segment => ({ address, bytes, writable: false });
const writable = (address: number | bigint, bytes: number): Segment => ({ address, bytes, writable: true });

/** What transmit buffers are made of (items 21, 23 and 24). */
const TRANSMIT: readonly Row[] = [
  [
    { name: 'chain-2^32', title: 'a chain of more than 2^32 bytes', item: 21, clause: BUFFER_CLAUSE },
    (rig) => [rig.frame(), readable(rig.allocate(16), 0xffffffff), readable(rig.allocate(16), 0xffffffff)],
  ],
  [
    {
      name: 'write-then-read',
      title: 'a writable descriptor before a readable one',
      item: 23,
      clause: ORDER_CLAUSE,
    },
    (rig) => [writable(rig.allocate(64), 64), rig.frame()],
  ],
  [
    { name: 'tx-writable', title: 'a transmit buffer that is only writable', item: 23, clause: ORDER_CLAUSE },
    (rig) => [writable(rig.allocate(128), 128)],
  ],
  [
    { name: 'tx-zero-length', title: 'a transmit buffer of no bytes', item: 23, clause: BUFFER_CLAUSE },
    (rig) => [readable(rig.allocate(16), 0)],
  ],
  [
    {
      name: 'tx-zero-length-nowhere',
      title: 'no bytes at an address of no region',
      item: 23,
      clause: BUFFER_CLAUSE,
    },
    () => [readable(HOLE_GPA, 0)],
  ],
  ...(
    [
      ['address-0', 'address 0', 0n, 64],
      ['address-max', 'the last address', 2n ** 64n - 1n, 64],
      ['address-hole', 'an address of no region', BigInt(HOLE_GPA), 64],
      ['address-wrap', 'an address from which the length passes 2^64', 2n ** 64n - 32n, 4096],
    ] as const
  ).map(
    ([name, title, address, bytes]): Row => [
      { name: `tx-${name}`, title: `a transmit buffer at ${title}`, item: 23, clause: BUFFER_CLAUSE },
      (rig) => [rig.frame(), readable(address, bytes)],
    ],
  ),
  [
    {
      name: 'tx-past-region',
      title: 'a transmit buffer that ends outside of every region',
      item: 23,
      clause: BUFFER_CLAUSE,
    },
    () => [readable(HIGH_GPA + 0x40000 - 32, 4096)],
  ],
  [
    {
      name: 'tx-crossing',
      title: 'a transmit buffer across two regions',
      item: 23,
      clause: BUFFER_CLAUSE,
      isGood: true,
    },
    (rig) => {
      rig.memory.write(HIGH_GPA - 40, frameImage(60).subarray(0, 40));
      rig.memory.write(HIGH_GPA, frameImage(60).subarray(40));
      return [readable(HIGH_GPA - 40, 72)];
    },
  ],
  [
    {
      name: 'tx-in-the-ring',
      title: 'a transmit buffer that is the used ring',
      item: 23,
      clause: BUFFER_CLAUSE,
    },
    (_rig, queue) => [readable(queue.at.device, 64)],
  ],
  [
    {
      name: 'header-byte-by-byte',
      title: 'a header in descriptors of one byte',
      item: 24,
      clause: FRAMING_CLAUSE,
      isGood: true,
    },
    (rig) => {
      const { address, bytes } = rig.frame();
      const at = Number(address);
      const header = Array.from({ length: NET_HEADER_BYTES }, (_, i) => readable(at + i, 1));
      return [...header, readable(at + NET_HEADER_BYTES, bytes - NET_HEADER_BYTES)];
    },
  ],
  [
    {
      name: 'header-only',
      title: 'a chain that is just the header',
      item: 24,
      clause: 'virtio 1.3, 5.1.6.2',
    },
    (rig) => [readable(rig.frame().address, NET_HEADER_BYTES)],
  ],
  [
    {
      name: 'header-only-in-three',
      title: 'a header in three descriptors and nothing behind it',
      item: 24,
      clause: 'virtio 1.3, 5.1.6.2',
    },
    (rig) => {
      const at = Number(rig.frame().address);
      return [readable(at, 4), readable(at + 4, 4), readable(at + 8, 4)];
    },
  ],
  [
    {
      name: 'header-short',
      title: 'a chain shorter than the header',
      item: 24,
      clause: 'virtio 1.3, 5.1.6.2',
    },
    (rig) => [readable(rig.frame().address, NET_HEADER_BYTES - 1)],
  ],
];

/** What receive buffers are made of (items 23 and 24). */
const RECEIVE: readonly Row[] = (
  [
    [
      'rx-read-only',
      'a receive buffer that is only readable',
      23,
      (rig) => [readable(rig.allocate(2048), 2048)],
    ],
    ['rx-zero-length', 'a receive buffer of no bytes', 23, (rig) => [writable(rig.allocate(16), 0)]],
    [
      'rx-header-short',
      'a receive buffer shorter than the header',
      24,
      (rig) => [writable(rig.allocate(16), 8)],
    ],
    [
      'rx-frame-short',
      'a receive buffer with room for half a frame',
      24,
      (rig) => [writable(rig.allocate(64), 40)],
    ],
    ['rx-address-0', 'a receive buffer at address 0', 23, () => [writable(0, 2048)]],
    ['rx-address-hole', 'a receive buffer at an address of no region', 23, () => [writable(HOLE_GPA, 2048)]],
    [
      'rx-address-wrap',
      'a receive buffer whose length passes 2^64',
      23,
      () => [writable(2n ** 64n - 32n, 2048)],
    ],
    [
      'rx-past-region',
      'a receive buffer that ends outside of every region',
      23,
      () => [writable(HIGH_GPA + 0x40000 - 32, 2048)],
    ],
    [
      'rx-write-then-read',
      'a receive buffer with a readable descriptor at its end',
      23,
      (rig) => [writable(rig.allocate(64), 64), readable(rig.allocate(2048), 2048)],
    ],
  ] as const satisfies readonly (readonly [string, string, number, Segments])[]
).map(
  ([name, title, item, segments]): Row => [
    { name, title, item, clause: BUFFER_CLAUSE, inReceive: true },
    segments,
  ],
);

/** Buffers of both ring formats. */
export const RING_BUFFERS: readonly BackEndCheck[] = [
  ...INDIRECTS,
  ...TRANSMIT,
  ...RECEIVE,
  [
    {
      name: 'rx-crossing',
      title: 'a receive buffer across two regions',
      item: 23,
      clause: BUFFER_CLAUSE,
      inReceive: true,
      isGood: true,
    },
    () => [writable(HIGH_GPA - 40, 2048)],
  ] satisfies Row,
  [
    {
      name: 'rx-byte-by-byte',
      title: 'a receive buffer whose header lies in descriptors of one byte',
      item: 24,
      clause: FRAMING_CLAUSE,
      inReceive: true,
      isGood: true,
    },
    (rig) => {
      const at = rig.allocate(2048);
      const header = Array.from({ length: NET_HEADER_BYTES }, (_, i) => writable(at + i, 1));
      return [...header, writable(at + NET_HEADER_BYTES, 2048 - NET_HEADER_BYTES)];
    },
  ] satisfies Row,
].flatMap(([entry, segments]) => bufferChecks(entry, segments));
