import type { RingBase } from '@vhostlab/vhost-user';
import { ChainBatch, type DeviceQueue, SplitDevice } from '@vhostlab/virtqueue';
import { describe, expect, it } from 'vitest';
import type { RingStart } from '../../src/control/commands.ts';
import { startQueue } from '../../src/rings/inflight/start-queue.ts';
import { bytesOf, InflightRig, PART, SIZE } from './rig.ts';

/** Header fields of struct QueueRegionSplit, and its entries of 16 bytes. */
const AT = { version: 8, count: 10, lastBatchHead: 12, used: 14 };
const entryAt = (entry: number, field: number): number => 16 + 16 * entry + field;

function start(rig: InflightRig, base: RingBase = { format: 'split', lastAvail: 0 }): DeviceQueue | string {
  const { descOffset, driverOffset, deviceOffset } = rig.place;
  const areas = { descriptor: descOffset, driver: driverOffset, device: deviceOffset };
  const numbers = { kick: -1, call: -1, err: -1, usedLogGpa: null };
  const ring: RingStart = {
    index: 0,
    size: SIZE,
    format: 'split',
    areas,
    base,
    enabled: true,
    ...numbers,
  };
  return startQueue(rig.arena, rig.space, rig.place, ring, { offset: PART, fresh: false });
}

function started(rig: InflightRig): SplitDevice {
  const queue = start(rig);
  if (!(queue instanceof SplitDevice)) throw new Error(String(queue));
  return queue;
}

const batch = new ChainBatch(SIZE, 64);
function pop(queue: DeviceQueue, max = SIZE): number[] {
  queue.pop(batch, max);
  return Array.from(batch.readableBytes.subarray(0, batch.count));
}

function complete(queue: DeviceQueue, count: number): void {
  queue.pushUsedBurst(batch.slot, count, 0);
  queue.publishUsed();
}

/** Marks heads in flight, oldest first, as a device does that completes out of order. */
function mark(rig: InflightRig, ...heads: number[]): void {
  for (const [counter, head] of heads.entries()) {
    rig.arena.u8[PART + entryAt(head, 0)] = 1;
    rig.setWord(entryAt(head, 8), counter);
  }
}

/** Five buffers were available and taken; 1 and 3 are given back already, and two more came. */
function halfDone(): InflightRig {
  const rig = new InflightRig('split');
  const queue = started(rig);
  for (let token = 0; token < 5; token++) rig.add(token, 1);
  const heads = new Map<number, number>();
  pop(queue).forEach((bytes, c) => {
    heads.set(bytes, batch.slot[c]);
  });
  for (const token of [1, 3]) queue.pushUsed(heads.get(bytesOf(token))!, 0);
  queue.publishUsed();
  expect(rig.takeUsed()).toEqual([1, 3]);
  mark(rig, ...[0, 2, 4].map((token) => heads.get(bytesOf(token))!));
  rig.add(5, 1);
  rig.add(6, 1);
  return rig;
}

describe('the region of a split ring', () => {
  it('is made ready, and keeps the used index', () => {
    const rig = new InflightRig('split');
    const queue = started(rig);
    expect([AT.version, AT.count, AT.used].map((at) => rig.word(at))).toEqual([1, SIZE, 0]);
    for (const token of [0, 1, 2]) rig.add(token, 1);
    pop(queue);
    complete(queue, 3);
    expect(rig.word(AT.used)).toBe(3);
    expect(Array.from({ length: SIZE }, (_, i) => rig.byte(entryAt(i, 0)))).toEqual(Array(SIZE).fill(0));
  });

  it('lets the next device take again what was taken and not given back', () => {
    const rig = new InflightRig('split');
    const first = started(rig);
    for (const token of [0, 1, 2]) rig.add(token, 1);
    pop(first, 1);
    complete(first, 1);
    expect(pop(first)).toEqual([1, 2].map(bytesOf));
    const second = started(rig);
    expect(second.isLevel).toBe(true);
    expect(pop(second)).toEqual([1, 2].map(bytesOf));
  });

  it('has buffers resubmitted in the order of their counters, then what is available', () => {
    const rig = halfDone();
    const queue = started(rig);
    expect(queue.isLevel).toBe(false);
    expect(pop(queue)).toEqual([0, 2, 4, 5, 6].map(bytesOf));
    complete(queue, 5);
    expect(queue.isLevel).toBe(true);
    expect(rig.takeUsed()).toEqual([0, 2, 4, 5, 6]);
    expect(rig.word(AT.used)).toBe(7);
    expect(Array.from({ length: SIZE }, (_, i) => rig.byte(entryAt(i, 0)))).toEqual(Array(SIZE).fill(0));
  });

  it('loses none of them when the next device dies as well, in between', () => {
    const rig = halfDone();
    const second = started(rig);
    pop(second, 2);
    complete(second, 1);
    const third = started(rig);
    expect(pop(third)).toEqual([2, 4, 5, 6].map(bytesOf));
    third.unpop(3);
    complete(third, 1);
    expect(pop(third)).toEqual([4, 5, 6].map(bytesOf));
    complete(third, 3);
    expect(rig.takeUsed()).toEqual([0, 2, 4, 5, 6]);
  });

  it('ends a batch that was published, whose marks are still there', () => {
    const rig = halfDone();
    const queue = started(rig);
    pop(queue, 2);
    const [first, second] = Array.from(batch.slot.subarray(0, 2));
    complete(queue, 2);
    // as if the device had died before it cleared them: used_idx is old, the list begins at last_batch_head
    rig.arena.u8[PART + entryAt(first, 0)] = 1;
    rig.arena.u8[PART + entryAt(second, 0)] = 1;
    rig.setWord(AT.used, 2);
    expect(pop(started(rig))).toEqual([4, 5, 6].map(bytesOf));
  });

  it.each([
    ['a version that nobody knows', (rig: InflightRig) => rig.setWord(AT.version, 2)],
    ['another number of descriptors', (rig: InflightRig) => rig.setWord(AT.count, 9)],
    [
      'more in flight than ever was available',
      (rig: InflightRig) => mark(rig, ...Array.from({ length: SIZE }, (_, i) => i)),
    ],
  ])('is refused in one sentence: %s', (_, change) => {
    const rig = halfDone();
    change(rig);
    expect(start(rig)).toMatch(/inflight region/);
  });

  it('survives lists that go nowhere', () => {
    const rig = halfDone();
    rig.setWord(AT.used, 0x8000);
    rig.setWord(AT.lastBatchHead, 5);
    rig.setWord(entryAt(5, 6), 5);
    expect(pop(started(rig))).toHaveLength(5);
    rig.setWord(AT.used, 0x8000);
    rig.setWord(AT.lastBatchHead, 60_000);
    expect(pop(started(rig))).toHaveLength(5);
  });
});
