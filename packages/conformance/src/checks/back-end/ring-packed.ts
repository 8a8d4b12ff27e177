import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
} from '@vhostlab/virtqueue';
import { feature } from '../../bench/feature.ts';
import type { RawPacked } from '../../bench/raw-packed.ts';
import type { Rig } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { packedCheck } from './ring-check.ts';

const CLAUSE = 'virtio 1.3, 2.8';
const NEXT = VIRTQ_DESC_F_NEXT;
const BITS = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/** Writes a good frame `ahead` slots from the next one. */
function piece(queue: RawPacked, rig: Rig, ahead: number, id: number, flags: number): void {
  const { address, bytes } = rig.frame();
  queue.descriptor(ahead, address, bytes, id, flags);
}

/** Gives the device time to look: the good buffer behind takes the same slot. */
function leave(): void {}

/** The packed ring itself (item 30). */
export const PACKED_RINGS: readonly BackEndCheck[] = [
  packedCheck(
    {
      name: 'both-bits',
      title: 'AVAIL and USED both set: a buffer that was not made available',
      item: 30,
      clause: 'virtio 1.3, 2.8.1',
    },
    { place: (queue, rig) => piece(queue, rig, 0, 0, BITS), repair: leave },
  ),
  packedCheck(
    {
      name: 'wrong-wrap',
      title: 'a buffer made available for the other round of the ring',
      item: 30,
      clause: 'virtio 1.3, 2.8.1',
    },
    { place: (queue, rig) => piece(queue, rig, 0, 0, queue.available(0) ^ BITS), repair: leave },
  ),
  packedCheck(
    { name: 'id-twice', title: 'a buffer id that is with the device already', item: 30, clause: CLAUSE },
    {
      place: (queue, rig) => {
        // two buffers under one id: whichever comes back first, it was with the device
        const id = queue.takeId();
        piece(queue, rig, 1, id, queue.available(1));
        piece(queue, rig, 0, id, queue.available(0));
        queue.expose(id, 1, 0, []);
        queue.exposeAgain(id, 1);
      },
    },
  ),
  ...[64, 0xffff].map((id) =>
    packedCheck(
      { name: `id-${id}`, title: `buffer id ${id} in a ring of 64`, item: 30, clause: CLAUSE },
      {
        place: (queue, rig) => {
          piece(queue, rig, 0, id, queue.available(0));
          queue.expose(id, 1, 0, []);
        },
      },
    ),
  ),
  packedCheck(
    {
      name: 'next-for-ever',
      title: 'every descriptor of the ring has NEXT',
      item: 30,
      clause: 'virtio 1.3, 2.8.6',
    },
    {
      place: (queue, rig) => {
        for (let ahead = queue.size - 1; ahead >= 0; ahead--) {
          piece(queue, rig, ahead, 0, queue.available(ahead) | NEXT);
        }
      },
      repair: leave,
    },
  ),
  packedCheck(
    {
      name: 'next-torn',
      title: 'a list whose second descriptor is not available',
      item: 30,
      clause: 'virtio 1.3, 2.8.6',
    },
    {
      place: (queue, rig) => {
        piece(queue, rig, 1, 0, queue.available(1) ^ BITS);
        piece(queue, rig, 0, 0, queue.available(0) | NEXT);
      },
      repair: leave,
    },
  ),
  packedCheck(
    {
      name: 'indirect-in-list',
      title: 'INDIRECT in a list of descriptors',
      item: 30,
      clause: 'virtio 1.3, 2.8.7',
      needs: ['indirect'],
      features: feature('INDIRECT_DESC'),
    },
    {
      place: (queue, rig) => {
        const table = rig.allocate(16);
        const { address, bytes } = rig.frame();
        rig.memory.descriptor(table, address, bytes, 0);
        queue.descriptor(1, table, 16, 0, queue.available(1) | VIRTQ_DESC_F_INDIRECT);
        piece(queue, rig, 0, 0, queue.available(0) | NEXT);
        queue.expose(0, 2, 0, []);
      },
    },
  ),
  ...(
    [
      ['event-flags-3', 'event suppression with the reserved flags 3', 3 << 16],
      ['event-off-beyond', 'an event offset outside of the ring', (2 << 16) | 0x7fff],
      ['event-off-wrap', 'an event offset outside of the ring in the other round', (2 << 16) | 0xffff],
    ] as const
  ).map(([name, title, value]) =>
    packedCheck(
      {
        name,
        title,
        item: 29,
        clause: 'virtio 1.3, 2.8.14',
        isGood: true,
        needs: ['event-idx'],
        features: feature('EVENT_IDX'),
      },
      {
        place: (queue, rig) => {
          queue.driverEvent = value;
          queue.offer([rig.frame()]);
        },
      },
    ),
  ),
];
