import { describe, expect, it } from 'vitest';
import {
  SegmentList,
  VIOLATION_USED_ID,
  VIOLATION_USED_JUMP,
  VIOLATION_USED_LENGTH,
  violationName,
} from '../src/index.ts';
import { AVAIL, GUEST, NEXT, RawRing, USED, WRITE } from './kit/raw.ts';

/** The queue is broken for this reason and gives and takes nothing until it is reset. */
function expectBroken(ring: RawRing, code: number): void {
  const { driver } = ring;
  expect(violationName(driver.violation)).toBe(violationName(code));
  expect(driver.freeSlots).toBe(0);
  expect(driver.addOne(GUEST, 4, false, 9)).toBe(-1);
  expect(driver.hasUsed()).toBe(false);
  expect(ring.popUsed()).toBe(0);
  expect(driver.shouldKick()).toBe(false);
  driver.reset();
  expect(driver.violation).toBe(0);
  expect(driver.freeSlots).toBe(ring.size);
  expect(driver.inFlight).toBe(0);
}

/** Three buffers in flight: 60 readable bytes, 100 writable ones, a chain of 10 readable and 20 writable. */
function offered(ring: RawRing): RawRing {
  const segments = new SegmentList(2);
  segments.push(GUEST, 10, false);
  segments.push(GUEST, 20, true);
  ring.driver.addOne(GUEST, 60, false, 100);
  ring.driver.addOne(GUEST, 100, true, 101);
  ring.driver.addChain(segments, 102);
  ring.driver.publish();
  return ring;
}

describe.each([false, true])('used ring made by a hostile device (IN_ORDER %s)', (inOrder) => {
  const makeRing = () => offered(new RawRing('split', 8, { inOrder }));

  it.each([4, 8, 0x8000, 0xffff])('used index jumps to %i with 3 in flight', (index) => {
    const ring = makeRing();
    ring.usedEntries([[0, 0]], index);
    expect(ring.popUsed()).toBe(0);
    expectBroken(ring, VIOLATION_USED_JUMP);
  });

  it.each([8, 0xffff_ffff, 3, 7])('id %i is no head that was made available', (id) => {
    const ring = makeRing();
    ring.usedEntries([
      [0, 0],
      [id, 0],
    ]);
    expect(ring.popUsed()).toBe(1);
    expect(ring.used.token[0]).toBe(100);
    expectBroken(ring, VIOLATION_USED_ID);
  });

  it('an id that is completed already', () => {
    const ring = makeRing();
    ring.usedEntries([
      [0, 0],
      [0, 0],
    ]);
    expect(ring.popUsed()).toBe(1);
    expectBroken(ring, VIOLATION_USED_ID);
  });

  it('a buffer that is added but not published', () => {
    const ring = makeRing();
    const slot = ring.driver.addOne(GUEST, 4, false, 103);
    ring.usedEntries([[slot, 0]]);
    expect(ring.popUsed()).toBe(0);
    expectBroken(ring, VIOLATION_USED_ID);
  });

  it.each([
    [0, 1],
    [1, 101],
    [1, 0xffff_ffff],
    [2, 21],
  ])('slot %i with %i bytes written', (slot, length) => {
    const ring = makeRing();
    const entries = [
      [0, 0],
      [1, 100],
      [2, 20],
    ] as [number, number][];
    entries[slot][1] = length;
    ring.usedEntries(entries);
    expect(ring.popUsed()).toBe(slot);
    expectBroken(ring, VIOLATION_USED_LENGTH);
  });
});

describe('in order, split', () => {
  it('one entry stands for the buffers before it, which are taken for complete', () => {
    const ring = offered(new RawRing('split', 8, { inOrder: true }));
    ring.usedEntries([[2, 7]], 3);
    expect(ring.popUsed(2)).toBe(2);
    expect(ring.driver.hasUsed()).toBe(true);
    expect([...ring.used.length.slice(0, 2)]).toEqual([0, 100]);
    expect(ring.popUsed()).toBe(1);
    expect([ring.used.token[0], ring.used.length[0]]).toEqual([102, 7]);
    expect(ring.driver.freeSlots).toBe(8);
  });

  it('an entry that stands for more buffers than the used index shows', () => {
    const ring = offered(new RawRing('split', 8, { inOrder: true }));
    ring.usedEntries([[2, 0]], 2);
    expect(ring.popUsed()).toBe(0);
    expectBroken(ring, VIOLATION_USED_ID);
  });
});

describe.each([false, true])('used descriptors made by a hostile device (IN_ORDER %s)', (inOrder) => {
  const makeRing = () => offered(new RawRing('packed', 8, { inOrder }));
  const use = (ring: RawRing, slot: number, id: number, length: number, write = WRITE) =>
    ring.desc(slot, 0, length, AVAIL | USED | write, id);

  it.each([8, 0xffff, 3])('id %i was never made available', (id) => {
    const ring = makeRing();
    use(ring, 0, 0, 0);
    use(ring, 1, id, 0);
    expect(ring.popUsed()).toBe(1);
    expectBroken(ring, VIOLATION_USED_ID);
  });

  it('an id that is completed already', () => {
    const ring = makeRing();
    use(ring, 0, 0, 0);
    use(ring, 1, 0, 0);
    expect(ring.popUsed()).toBe(1);
    expectBroken(ring, VIOLATION_USED_ID);
  });

  it('a buffer that is added but not published', () => {
    const ring = makeRing();
    const id = ring.driver.addOne(GUEST, 4, false, 103);
    use(ring, 0, id, 0);
    expect(ring.popUsed()).toBe(0);
    expectBroken(ring, VIOLATION_USED_ID);
  });

  it('more bytes than the buffer has; the length of a descriptor without WRITE is ignored', () => {
    const ring = makeRing();
    use(ring, 0, 0, 5000, 0);
    use(ring, 1, 1, 101);
    expect(ring.popUsed()).toBe(1);
    expect(ring.used.length[0]).toBe(0);
    expectBroken(ring, VIOLATION_USED_LENGTH);
  });

  it('NEXT and INDIRECT in a used descriptor are ignored', () => {
    const ring = makeRing();
    use(ring, 0, 0, 0, NEXT | 4);
    expect(ring.popUsed()).toBe(1);
    expect(ring.driver.violation).toBe(0);
  });

  it('everything marked used for ever: no more buffers than were in flight come back', () => {
    const ring = makeRing();
    for (let slot = 0; slot < 8; slot++) use(ring, slot, Math.min(slot, 2), 0);
    let popped = 0;
    for (let i = 0; i < 10; i++) popped += ring.popUsed();
    expect(popped).toBe(3);
    expect(ring.driver.violation).toBe(0);
  });
});
