import type { Publisher } from '@vhostlab/memory';
import { ChainBatch, DirectPublisher } from '@vhostlab/virtqueue';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JournaledPacked } from '../../src/rings/inflight/journaled-packed.ts';
import { recoverPacked } from '../../src/rings/inflight/recover-packed.ts';
import { bytesOf, InflightRig, PART, SIZE } from './rig.ts';

const START = { slot: 0, wrap: 1 };
/** Header fields of struct QueueRegionPacked, and its entries of 32 bytes. */
const AT = {
  version: 8,
  count: 10,
  freeHead: 12,
  oldFreeHead: 14,
  used: 16,
  oldUsed: 18,
  wrap: 20,
  oldWrap: 21,
};
const entryAt = (entry: number, field: number): number => 32 + 32 * entry + field;

class Killed extends Error {}

/** Stores as it should, until the device is to die: before the next published word, or right after it. */
class Deadly implements Publisher {
  readonly #inner: DirectPublisher;
  dies: 'before' | 'after' | undefined;

  constructor(rig: InflightRig) {
    this.#inner = new DirectPublisher(rig.arena);
  }

  cover(): void {}

  u16(offset: number, value: number): void {
    if (this.dies === 'before') throw new Killed();
    this.#inner.u16(offset, value);
    if (this.dies === 'after') throw new Killed();
  }

  u32(offset: number, value: number): void {
    this.#inner.u32(offset, value);
  }
}

class Device {
  readonly rig: InflightRig;
  readonly deadly: Deadly;
  readonly batch = new ChainBatch(SIZE, 64);
  queue: JournaledPacked;

  constructor(rig: InflightRig) {
    this.rig = rig;
    this.deadly = new Deadly(rig);
    this.queue = this.#make(START);
  }

  #make(used: { slot: number; wrap: number }): JournaledPacked {
    const { arena, space, place } = this.rig;
    const queue = new JournaledPacked(arena, this.deadly, space, place, PART, used);
    const half = used.slot | (used.wrap << 15);
    if (!queue.restoreBase((half | (half << 16)) >>> 0)) throw new Error('no such base');
    return queue;
  }

  /** Another device takes over. */
  restart(): void {
    this.deadly.dies = undefined;
    const { arena, place } = this.rig;
    const used = recoverPacked(arena, place, PART);
    if (used === undefined || typeof used === 'string') throw new Error(`no recovery: ${used}`);
    this.queue = this.#make(used);
  }

  /** Bytes of the buffers popped. */
  pop(max: number): number[] {
    this.queue.pop(this.batch, max);
    return Array.from(this.batch.readableBytes.subarray(0, this.batch.count));
  }
}

function filled(): Device {
  const rig = new InflightRig('packed');
  const device = new Device(rig);
  for (const [token, parts] of [
    [0, 1],
    [1, 3],
    [2, 1],
  ] as const)
    rig.add(token, parts);
  return device;
}

const ALL = [0, 1, 2].map(bytesOf);

describe('the region of a packed ring', () => {
  it('is laid out as the specification says when nothing is in flight', () => {
    const { rig } = filled();
    expect([AT.version, AT.count, AT.freeHead, AT.oldFreeHead, AT.used].map((at) => rig.word(at))).toEqual([
      1,
      SIZE,
      0,
      0,
      0,
    ]);
    expect([rig.byte(AT.wrap), rig.byte(AT.oldWrap)]).toEqual([1, 1]);
    expect(Array.from({ length: SIZE }, (_, i) => rig.word(entryAt(i, 2)))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('holds a copy of every descriptor that is taken, and frees it when the buffer is published', () => {
    const device = filled();
    const { rig, queue, batch } = device;
    expect(device.pop(2)).toEqual(ALL.slice(0, 2));
    // the second buffer: entries 1 to 3, three of them, the last one the third; the oldest counter is the first's
    expect([0, 1, 2, 3].map((entry) => rig.byte(entryAt(entry, 0)))).toEqual([1, 1, 0, 0]);
    expect([rig.word(entryAt(1, 4)), rig.word(entryAt(1, 6))]).toEqual([3, 3]);
    expect([rig.word(entryAt(0, 8)), rig.word(entryAt(1, 8))]).toEqual([0, 1]);
    expect(rig.arena.u32[(PART + entryAt(0, 20)) >>> 2]).toBe(bytesOf(0));
    expect([rig.word(AT.freeHead), rig.word(AT.oldFreeHead)]).toEqual([4, 4]);
    queue.pushUsedBurst(batch.slot, 2, 0);
    queue.publishUsed();
    expect([0, 1].map((entry) => rig.byte(entryAt(entry, 0)))).toEqual([0, 0]);
    expect([rig.word(AT.used), rig.word(AT.oldUsed)]).toEqual([4, 4]);
    expect(rig.takeUsed()).toEqual([0, 1]);
  });

  it('gives buffers back to the ring that were taken only', () => {
    const device = filled();
    device.pop(3);
    device.restart();
    expect(device.pop(8)).toEqual(ALL);
  });

  it('gives buffers back that the dead device had overwritten and not published', () => {
    const device = filled();
    device.pop(3);
    device.queue.pushUsedBurst(device.batch.slot, 3, 0);
    device.deadly.dies = 'before';
    expect(() => device.queue.publishUsed()).toThrow(Killed);
    device.restart();
    expect(device.pop(8)).toEqual(ALL);
  });

  it('goes on behind buffers that were published last', () => {
    const device = filled();
    device.pop(2);
    device.queue.pushUsedBurst(device.batch.slot, 2, 0);
    device.deadly.dies = 'after';
    expect(() => device.queue.publishUsed()).toThrow(Killed);
    device.restart();
    expect(device.rig.takeUsed()).toEqual([0, 1]);
    expect(device.pop(8)).toEqual([bytesOf(2)]);
  });

  it('holds no buffer that was given back untouched', () => {
    const device = filled();
    device.pop(3);
    device.queue.unpop(2);
    device.queue.pushUsed(device.batch.slot[0], 0);
    device.queue.publishUsed();
    expect([0, 1, 2, 3, 4, 5].map((entry) => device.rig.byte(entryAt(entry, 0)))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(device.pop(8)).toEqual(ALL.slice(1));
  });

  it('may be recovered again when the recovery was cut short', () => {
    const device = filled();
    device.pop(3);
    const { rig } = device;
    // the newest mark is gone, the older two are there
    rig.arena.u8[PART + entryAt(4, 0)] = 0;
    device.restart();
    expect(device.pop(8)).toEqual(ALL);
  });

  const garbage: [string, (rig: InflightRig) => void][] = [
    ['a version that nobody knows', (rig) => rig.setWord(AT.version, 7)],
    ['another number of descriptors', (rig) => rig.setWord(AT.count, 9)],
    ['a used position outside the ring', (rig) => rig.setWord(AT.used, 8)],
    ['a wrap counter of 2', (rig) => rig.setWord(AT.wrap, 0x0202)],
    ['a buffer of more descriptors than there are', (rig) => rig.setWord(entryAt(0, 6), 9)],
    ['a buffer of none', (rig) => rig.setWord(entryAt(0, 6), 0)],
    ['a buffer that goes on outside the region', (rig) => rig.setWord(entryAt(1, 2), 60_000)],
  ];

  it.each(garbage)('is refused in one sentence: %s', (_, change) => {
    const device = filled();
    device.pop(3);
    const { rig } = device;
    change(rig);
    expect(recoverPacked(rig.arena, rig.place, PART)).toMatch(/^the inflight region/);
  });

  it('takes the region for no more than it is: any bytes end in a sentence or a position', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 288, maxLength: 288 }), (bytes) => {
        const { rig } = filled();
        rig.arena.u8.set(bytes, PART);
        rig.setWord(AT.version, 1);
        rig.setWord(AT.count, SIZE);
        const found = recoverPacked(rig.arena, rig.place, PART);
        if (typeof found === 'object') expect(found.slot).toBeLessThan(SIZE);
        else expect(found).toMatch(/^the inflight region/);
        // nothing outside the ring and the region was written
        expect(rig.arena.u8.subarray(PART + 288, PART + 4096).every((byte) => byte === 0)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('devices that die at any moment, one after the other', () => {
  const step = fc.record({
    add: fc.integer({ min: 0, max: 3 }),
    pop: fc.integer({ min: 1, max: 5 }),
    back: fc.integer({ min: 0, max: 3 }),
    dies: fc.constantFrom(undefined, undefined, 'before', 'after', 'taken'),
  });

  it.each([false, true])('lose no buffer, and give none back twice (IN_ORDER %s)', (inOrder) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const rig = new InflightRig('packed', inOrder);
        const device = new Device(rig);
        const waiting: number[] = [];
        let next = 0;
        const check = (): void => {
          for (const token of rig.takeUsed()) expect(token).toBe(waiting.shift());
        };
        for (const { add, pop, back, dies } of steps) {
          const parts = 1 + (add % 3);
          if (rig.driver.freeSlots >= parts) {
            rig.add(next, parts);
            waiting.push(next);
            next = (next + 1) % 32;
          }
          const popped = device.pop(pop);
          expect(popped).toEqual(waiting.slice(0, popped.length).map(bytesOf));
          const returned = Math.min(back, popped.length);
          device.queue.unpop(returned);
          const done = popped.length - returned;
          for (let c = 0; c < done; c++) device.queue.pushUsed(device.batch.slot[c], 0);
          device.deadly.dies = dies === 'taken' ? undefined : dies;
          try {
            if (dies !== 'taken') device.queue.publishUsed();
          } catch (error) {
            if (!(error instanceof Killed)) throw error;
          }
          check();
          if (dies !== undefined) device.restart();
        }
        while (waiting.length > 0) {
          device.pop(SIZE);
          device.queue.pushUsedBurst(device.batch.slot, device.batch.count, 0);
          device.queue.publishUsed();
          const before = waiting.length;
          check();
          expect(waiting.length).toBeLessThan(before);
        }
      }),
      { numRuns: 150 },
    );
  });
});
