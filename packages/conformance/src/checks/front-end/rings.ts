import type { DriverRing } from '../../bench/driver-ring.ts';
import type { FrontEndCheck } from '../../check.ts';
import { notClaimed } from '../../report/verdict.ts';
import { check, judge } from './define.ts';

const USED = 'virtio 1.3, 2.7.8';
const PACKED_USED = 'virtio 1.3, 2.8.2';
const RECEIVE = 0;
const TRANSMIT = 1;
/** Bytes of a header and a short frame. */
const FRAME_BYTES = 72;

interface BadUsed {
  readonly name: string;
  readonly title: string;
  readonly index: number;
  readonly place: (ring: DriverRing) => void;
}

/** Uses an id of the ring that is not with the device. When all are, one is given back first, rightly. */
function useIdle(ring: DriverRing): void {
  const heads = ring.heads();
  let id = 0;
  while (heads.has(id)) id++;
  if (id === ring.size) {
    id = ring.head();
    ring.write(id, 0);
  }
  ring.use(id, 0);
}

const SPLIT: readonly BadUsed[] = [
  {
    name: 'used-never-offered',
    title: 'a used id that was never made available',
    index: TRANSMIT,
    place: useIdle,
  },
  {
    name: 'used-id-size',
    title: 'a used id that is just no descriptor',
    index: RECEIVE,
    place: (ring) => ring.use(ring.size, FRAME_BYTES),
  },
  {
    name: 'used-id-2^32-1',
    title: 'a used id of 2^32-1',
    index: RECEIVE,
    place: (ring) => ring.use(0xffffffff, FRAME_BYTES),
  },
  {
    name: 'used-tx-id-2^32-1',
    title: 'a used id of 2^32-1 in a transmit queue',
    index: TRANSMIT,
    place: (ring) => ring.use(0xffffffff, 0),
  },
  {
    name: 'used-twice',
    title: 'a buffer that is used twice',
    index: RECEIVE,
    place: (ring) => {
      const head = ring.head();
      ring.write(head, FRAME_BYTES);
      ring.use(head, FRAME_BYTES);
    },
  },
  {
    name: 'used-len-over',
    title: 'a used length above the buffer',
    index: RECEIVE,
    place: (ring) => ring.use(ring.head(), 0x10000),
  },
  {
    name: 'used-len-2^32-1',
    title: 'a used length of 2^32-1',
    index: RECEIVE,
    place: (ring) => ring.use(ring.head(), 0xffffffff),
  },
  {
    name: 'used-len-0',
    title: 'a received frame of no bytes',
    index: RECEIVE,
    place: (ring) => ring.use(ring.head(), 0),
  },
  {
    name: 'used-len-header',
    title: 'a received frame shorter than its header',
    index: RECEIVE,
    place: (ring) => ring.use(ring.head(), 5),
  },
  {
    name: 'used-idx-jump',
    title: 'the used index moves by more than is outstanding',
    index: RECEIVE,
    place: (ring) => {
      ring.usedIdx = ring.usedIdx + ring.size + 10;
    },
  },
  {
    name: 'used-idx-back',
    title: 'the used index moves back',
    index: RECEIVE,
    place: (ring) => {
      ring.usedIdx = ring.usedIdx - 1;
    },
  },
];

const PACKED: readonly BadUsed[] = [
  {
    name: 'used-id-65535',
    title: 'a used id far outside of the ring',
    index: RECEIVE,
    place: (ring) => ring.usePacked(0xffff, FRAME_BYTES),
  },
  {
    name: 'used-id-size',
    title: 'a used id that is just none',
    index: RECEIVE,
    place: (ring) => ring.usePacked(ring.size, FRAME_BYTES),
  },
  {
    name: 'used-twice',
    title: 'a buffer that is used twice',
    index: RECEIVE,
    place: (ring) => {
      const { id } = ring.nextPacked;
      ring.usePacked(id, FRAME_BYTES);
      ring.usePacked(id, FRAME_BYTES);
    },
  },
  {
    name: 'used-len-2^32-1',
    title: 'a used length of 2^32-1',
    index: RECEIVE,
    place: (ring) => ring.usePacked(ring.nextPacked.id, 0xffffffff),
  },
  {
    name: 'used-len-0',
    title: 'a received frame of no bytes',
    index: RECEIVE,
    place: (ring) => ring.usePacked(ring.nextPacked.id, 0),
  },
  {
    name: 'used-never-offered',
    title: 'a used descriptor where none was made available',
    index: TRANSMIT,
    place: (ring) => {
      ring.usePacked(ring.nextPacked.id, 0, 1, false);
      for (let i = 1; i < ring.size; i++) ring.usePacked(0, 0, 1, false);
    },
  },
];

function ringCheck(format: 'split' | 'packed', { name, title, index, place }: BadUsed): FrontEndCheck {
  return check(
    {
      id: `fe.${format}.${name}`,
      title,
      item: 31,
      clause: format === 'split' ? USED : PACKED_USED,
      needs: [format],
    },
    async (bench) => {
      const visit = await bench.visit({ packed: format === 'packed' });
      const ring = await bench.stocked(visit, index);
      if (ring.setup.format !== format) return notClaimed(`its rings are not ${format} this time`);
      place(ring);
      ring.call();
      await bench.settle(visit);
      return judge(bench, visit);
    },
  );
}

/** What a back end may write into rings (item 31). */
export const FRONT_END_RINGS: readonly FrontEndCheck[] = [
  ...SPLIT.map((entry) => ringCheck('split', entry)),
  ...PACKED.map((entry) => ringCheck('packed', entry)),
  check(
    {
      id: 'fe.split.used-idx-torn',
      title: 'the used index written one byte after the other, for 1024 buffers',
      item: 31,
      clause: 'virtio 1.3, 2.7.8: the index is one le16',
      needs: ['split'],
    },
    async (bench) => {
      const visit = await bench.visit({ packed: false });
      const ring = await bench.stocked(visit, TRANSMIT);
      let used = 0;
      for (let turn = 0; turn < 4096 && used < 1024 && ring.isRunning; turn++) {
        const waiting = Math.min(ring.waiting, ring.size);
        for (let i = 0; i < waiting; i++) ring.write(ring.head(), 0);
        if (waiting > 0) {
          const isWhole = await ring.publishTorn(() => {
            ring.call();
            return bench.breathe();
          });
          if (!isWhole) break;
          ring.call();
          used += waiting;
        }
        await bench.breathe();
        if (visit.ended !== null || bench.processEnded !== null) break;
      }
      await bench.settle(visit);
      return judge(bench, visit, `goes on after ${used} buffers`);
    },
  ),
];
