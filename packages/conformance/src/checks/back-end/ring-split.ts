import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';
import { feature } from '../../bench/feature.ts';
import type { RawSplit } from '../../bench/raw-split.ts';
import type { Rig } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { splitCheck } from './ring-check.ts';

const AVAILABLE = 'virtio 1.3, 2.7.6';
const TABLE = 'virtio 1.3, 2.7.5';
const NEXT = VIRTQ_DESC_F_NEXT;
const INDIRECT = VIRTQ_DESC_F_INDIRECT;

/** One descriptor of a good frame; its chain is the caller's. */
function piece(queue: RawSplit, rig: Rig, at: number, flags: number, next: number): void {
  const { address, bytes } = rig.frame();
  queue.descriptor(at, address, bytes, flags, next);
}

/** A chain of `length` descriptors, the last one pointing at `back` of them. */
function loop(queue: RawSplit, rig: Rig, length: number, back: number, bytes?: number): void {
  const chain = queue.take(length);
  for (const [i, at] of chain.entries()) {
    const next = chain[i + 1] ?? chain[back];
    if (bytes === undefined) piece(queue, rig, at, NEXT, next);
    else queue.descriptor(at, rig.allocate(16), bytes, NEXT, next);
  }
  queue.expose(chain[0], chain, 0, []);
}

/** The available ring and chains of the descriptor table (items 20 and 21). */
export const SPLIT_RINGS: readonly BackEndCheck[] = [
  splitCheck(
    {
      name: 'avail-jump',
      title: 'the available index moves by more than the queue size',
      item: 20,
      clause: AVAILABLE,
    },
    {
      place: (queue) => {
        queue.availIdx = queue.trueAvailIdx + queue.size + 5;
      },
      repair: (queue) => {
        queue.availIdx = queue.trueAvailIdx;
      },
    },
  ),
  splitCheck(
    { name: 'avail-backwards', title: 'the available index moves back', item: 20, clause: AVAILABLE },
    {
      place: (queue) => {
        queue.availIdx = queue.trueAvailIdx - 1;
      },
      repair: (queue) => {
        queue.availIdx = queue.trueAvailIdx;
      },
    },
  ),
  ...[
    ['head-size', 'a head that is just no descriptor', 64],
    ['head-65535', 'a head far outside of the table', 0xffff],
  ].map(([name, title, head]) =>
    splitCheck(
      { name: String(name), title: String(title), item: 21, clause: AVAILABLE },
      {
        place: (queue) => queue.expose(Number(head), [], 0, []),
      },
    ),
  ),
  ...[
    ['next-size', 'next points just behind the table', 64],
    ['next-65535', 'next points far outside of the table', 0xffff],
  ].map(([name, title, next]) =>
    splitCheck(
      { name: String(name), title: String(title), item: 21, clause: TABLE },
      {
        place: (queue, rig) => {
          const [head] = queue.take(1);
          piece(queue, rig, head, NEXT, Number(next));
          queue.expose(head, [head], 0, []);
        },
      },
    ),
  ),
  splitCheck(
    { name: 'next-self', title: 'a descriptor that is its own next', item: 21, clause: TABLE },
    { place: (queue, rig) => loop(queue, rig, 1, 0) },
  ),
  splitCheck(
    { name: 'next-loop', title: 'a chain that comes back to its middle', item: 21, clause: TABLE },
    { place: (queue, rig) => loop(queue, rig, 4, 2) },
  ),
  splitCheck(
    { name: 'zero-loop', title: 'a loop of descriptors of no bytes', item: 21, clause: TABLE },
    { place: (queue, rig) => loop(queue, rig, 4, 0, 0) },
  ),
  splitCheck(
    { name: 'head-twice', title: 'a head that is with the device already', item: 21, clause: AVAILABLE },
    {
      place: (queue, rig) => {
        const head = queue.offer([rig.frame()]);
        queue.exposeAgain(head);
      },
    },
  ),
  splitCheck(
    {
      name: 'indirect-then-next',
      title: 'an INDIRECT descriptor that has NEXT',
      item: 22,
      clause: 'virtio 1.3, 2.7.5.3.1',
      needs: ['indirect'],
      features: feature('INDIRECT_DESC'),
    },
    {
      place: (queue, rig) => {
        const chain = queue.take(2);
        const table = rig.allocate(16);
        const { address, bytes } = rig.frame();
        rig.memory.descriptor(table, address, bytes, 0);
        queue.descriptor(chain[0], table, 16, INDIRECT | NEXT, chain[1]);
        piece(queue, rig, chain[1], 0, 0);
        queue.expose(chain[0], chain, 0, []);
      },
    },
  ),
  splitCheck(
    {
      name: 'normal-then-indirect',
      title: 'a normal descriptor followed by an INDIRECT one',
      item: 22,
      clause: 'virtio 1.3, 2.7.5.3.2',
      isGood: true,
      needs: ['indirect'],
      features: feature('INDIRECT_DESC'),
    },
    {
      place: (queue, rig) => {
        const chain = queue.take(2);
        const table = rig.allocate(16);
        const { address, bytes } = rig.frame();
        queue.descriptor(chain[0], address, 12, NEXT, chain[1]);
        rig.memory.descriptor(table, Number(address) + 12, bytes - 12, 0);
        queue.descriptor(chain[1], table, 16, INDIRECT);
        queue.expose(chain[0], chain, 0, []);
      },
    },
  ),
  splitCheck(
    {
      name: 'indirect-next-range',
      title: 'next points outside of an indirect table',
      item: 22,
      clause: 'virtio 1.3, 2.7.5.3',
      needs: ['indirect'],
      features: feature('INDIRECT_DESC'),
    },
    {
      place: (queue, rig) => {
        const [head] = queue.take(1);
        const table = rig.allocate(32);
        const { address, bytes } = rig.frame();
        rig.memory.descriptor(table, address, bytes, (1000 << 16) | NEXT);
        queue.descriptor(head, table, 32, INDIRECT);
        queue.expose(head, [head], 0, []);
      },
    },
  ),
  splitCheck(
    {
      name: 'indirect-loop',
      title: 'a loop inside an indirect table',
      item: 22,
      clause: 'virtio 1.3, 2.7.5.3',
      needs: ['indirect'],
      features: feature('INDIRECT_DESC'),
    },
    {
      place: (queue, rig) => {
        const [head] = queue.take(1);
        const table = rig.allocate(32);
        for (let i = 0; i < 2; i++) {
          const { address, bytes } = rig.frame();
          rig.memory.descriptor(table + 16 * i, address, bytes, ((1 - i) << 16) | NEXT);
        }
        queue.descriptor(head, table, 32, INDIRECT);
        queue.expose(head, [head], 0, []);
      },
    },
  ),
  splitCheck(
    {
      name: 'used-idx-scribbled',
      title: 'the guest overwrites the used index and the used ring',
      item: 28,
      clause: 'virtio 1.3, 2.7.8',
    },
    {
      place: (queue, rig) => {
        queue.scribble(0xee);
        queue.offer([rig.frame()]);
      },
    },
  ),
  splitCheck(
    {
      name: 'write-in-the-table',
      title: 'a receive buffer that is the descriptor table itself',
      item: 23,
      clause: TABLE,
      inReceive: true,
    },
    {
      place: (queue) => {
        queue.offer([{ address: queue.at.desc, bytes: 1024, writable: true }]);
      },
      repair: (queue) => {
        // whatever was written there, the rest of the table is the driver's to write
        for (let at = 1; at < queue.size; at++) queue.descriptor(at, 0, 0, VIRTQ_DESC_F_WRITE);
      },
    },
  ),
];
