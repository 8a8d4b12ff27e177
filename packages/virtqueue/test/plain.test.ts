import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChainBatch, PlainBurst, type RingFormat, SegmentList, UsedBatch } from '../src/index.ts';
import { HIGH, LOW, MAX_BYTES, MIN_BYTES, PlainRig, READ_ONLY, REGION_BYTES } from './kit/plain-rig.ts';

const FORMATS = ['split', 'packed'] as const;
const SIZES: Record<RingFormat, number> = { split: 16, packed: 13 };
const none = { eventIdx: false, indirect: true, inOrder: false };
const burst = new PlainBurst(16);
const chains = new ChainBatch(16, 64);
const used = new UsedBatch(64);
const list = new SegmentList(4);

/** One buffer as a driver offers it. */
interface Offer {
  kind: 'one' | 'chain' | 'indirect';
  address: number;
  bytes: number;
}

const offer: fc.Arbitrary<Offer> = fc.record({
  kind: fc.constantFrom<Offer['kind'][]>('one', 'one', 'one', 'chain', 'indirect'),
  address: fc.oneof(
    fc.integer({ min: LOW, max: LOW + 0x5800 }),
    fc.integer({ min: HIGH, max: HIGH + REGION_BYTES - 2100 }),
  ),
  bytes: fc.oneof(fc.integer({ min: MIN_BYTES, max: 1600 }), fc.constantFrom(8, MAX_BYTES, MAX_BYTES + 1)),
});

const turn = fc.record({
  offers: fc.array(offer, { maxLength: 6 }),
  max: fc.integer({ min: 1, max: 16 }),
  finish: fc.integer({ min: 0, max: 16 }),
});

/** True when a PlainRing has to find the buffer: one descriptor, within the bounds, on one side of 4 GiB. */
function isPlain({ kind, address, bytes }: Offer): boolean {
  const crosses = address < 2 ** 32 && address + bytes > 2 ** 32;
  return kind === 'one' && bytes >= MIN_BYTES && bytes <= MAX_BYTES && !crosses;
}

function add(rig: PlainRig, { kind, address, bytes }: Offer, writable: boolean, token: number): boolean {
  if (kind === 'one') return rig.driver.addOne(address, bytes, writable, token) >= 0;
  const first = Math.min(4, bytes - 1);
  list.clear();
  list.push(address, first, writable);
  list.push(address + first, bytes - first, writable);
  return (kind === 'chain' ? rig.driver.addChain(list, token) : rig.driver.addIndirect(list, token)) >= 0;
}

describe.each(FORMATS)('plain buffers of a %s ring', (format) => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('fast and careful side take turns; writable: %s, in order: %s', (writable, inOrder) => {
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 40 }), (turns) => {
        const rig = new PlainRig(format, SIZES[format], { ...none, inOrder }, writable);
        const pending: Offer[] = [];
        const expected: number[][] = [];
        let token = 0;
        for (const { offers, max, finish } of turns) {
          for (const each of offers)
            if (add(rig, each, writable, token)) pending.push({ ...each, token: token++ } as Offer);
          rig.driver.publish();
          const found = rig.plain.peek(burst, max);
          let plain = pending.findIndex((each) => !isPlain(each));
          if (plain < 0) plain = pending.length;
          expect(found).toBe(Math.min(plain, max));
          expect(burst.visible > 0).toBe(pending.length > 0);
          for (let i = 0; i < found; i++) {
            expect(burst.offset[i]).toBe(rig.placeOf(pending[i].address));
            expect(burst.length[i]).toBe(pending[i].bytes);
          }
          const done = Math.min(found, finish);
          const written = Uint32Array.from({ length: 16 }, (_, i) => i + 1);
          if (writable) rig.plain.finishWritten(burst, done, written);
          else rig.plain.finishRead(burst, done);
          pending.splice(0, done).forEach((each, i) => {
            expected.push([(each as Offer & { token: number }).token, writable ? i + 1 : 0]);
          });
          // the careful side takes the next ones, whatever they are
          const popped = rig.device.pop(chains, 2);
          expect(popped).toBe(Math.min(2, pending.length));
          for (let c = 0; c < popped; c++) {
            const bytes = writable ? chains.writableBytes[c] : chains.readableBytes[c];
            expect(bytes).toBe(pending[c].bytes);
            rig.device.pushUsed(chains.slot[c], writable ? 7 : 0);
          }
          rig.device.publishUsed();
          for (const each of pending.splice(0, popped)) {
            expected.push([(each as Offer & { token: number }).token, writable ? 7 : 0]);
          }
          const back = rig.driver.popUsed(used, 64);
          const got = Array.from({ length: back }, (_, i) => [used.token[i], used.length[i]]);
          expect(got).toEqual(expected.splice(0, expected.length));
          expect(rig.driver.violation + rig.device.violation).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('a buffer that may not be written, or is not mapped, is not plain', () => {
    const rig = new PlainRig(format, SIZES[format], none, true);
    for (const address of [READ_ONLY, 2 ** 41, HIGH + REGION_BYTES - 50]) {
      rig.driver.addOne(LOW, 100, true, 0);
      rig.driver.addOne(address, 100, true, 1);
      rig.driver.publish();
      expect(rig.plain.peek(burst, 16)).toBe(1);
      rig.plain.finishWritten(burst, 1, new Uint32Array([5]));
      expect(rig.plain.peek(burst, 16)).toBe(0);
      expect(rig.device.pop(chains, 16)).toBe(1);
      expect(chains.status[0]).toBeLessThan(0);
      rig.device.pushUsed(chains.slot[0], 0);
      rig.device.publishUsed();
      expect(rig.driver.popUsed(used, 64)).toBe(2);
    }
  });

  it('the wrong direction is not plain', () => {
    const rig = new PlainRig(format, SIZES[format], none, true);
    rig.driver.addOne(LOW, 100, false, 0);
    rig.driver.publish();
    expect(rig.plain.peek(burst, 16)).toBe(0);
  });

  it('nothing is found through mappings that are gone', () => {
    const rig = new PlainRig(format, SIZES[format], none, false);
    for (let i = 0; i < 4; i++) rig.driver.addOne(LOW, 100, false, i);
    rig.driver.publish();
    expect(rig.plain.peek(burst, 16)).toBe(4);
    rig.space.unmap(LOW, REGION_BYTES);
    expect(rig.plain.peek(burst, 16)).toBe(0);
  });

  it('a driver that goes on where another position was restored gets nothing while the two differ', () => {
    const rig = new PlainRig(format, SIZES[format], none, false);
    rig.driver.addOne(LOW, 100, false, 0);
    rig.driver.publish();
    expect(rig.device.pop(chains, 1)).toBe(1);
    rig.driver.addOne(LOW, 100, false, 1);
    rig.driver.publish();
    expect(rig.plain.peek(burst, 16)).toBe(0);
    rig.device.pushUsed(chains.slot[0], 0);
    rig.device.publishUsed();
    expect(rig.plain.peek(burst, 16)).toBe(1);
  });

  it('65536 buffers and more, over all laps of marks and indices', () => {
    const rig = new PlainRig(format, SIZES[format], none, false);
    let taken = 0;
    for (let lap = 0; lap < 70_000; lap++) {
      rig.driver.addOne(LOW, 64, false, lap);
      rig.driver.publish();
      taken += rig.plain.peek(burst, 16);
      rig.plain.finishRead(burst, 1);
      if (rig.driver.popUsed(used, 64) !== 1 || used.token[0] !== lap) throw new Error(`lap ${lap}`);
    }
    expect(taken).toBe(70_000);
  });

  it.each([false, true])('calls are wanted as for the careful side (EVENT_IDX: %s)', (eventIdx) => {
    const rig = new PlainRig(format, SIZES[format], { ...none, eventIdx }, false);
    const sendOne = (): void => {
      rig.driver.addOne(LOW, 64, false, 0);
      rig.driver.publish();
      rig.plain.finishRead(burst, rig.plain.peek(burst, 16));
    };
    rig.driver.disableInterrupts();
    sendOne();
    expect(rig.device.shouldCall()).toBe(false);
    rig.driver.popUsed(used, 64);
    rig.driver.enableInterrupts();
    sendOne();
    expect(rig.device.shouldCall()).toBe(true);
    expect(rig.device.shouldCall()).toBe(false);
  });
});

describe('a patient reader', () => {
  it.each([0, 10])(
    'of a packed ring waits for a whole burst, from position %i, but not for ever',
    (start) => {
      const rig = new PlainRig('packed', SIZES.packed, none, false, 3);
      const send = (count: number): void => {
        for (let i = 0; i < count; i++) rig.driver.addOne(LOW, 64, false, i);
        rig.driver.publish();
      };
      const look = (max: number): number => {
        const found = rig.plain.peek(burst, max);
        rig.plain.finishRead(burst, found);
        rig.driver.popUsed(used, 64);
        return found;
      };
      send(start);
      expect(look(start)).toBe(start);
      send(5);
      expect([look(6), look(6), look(6), look(6)]).toEqual([0, 0, 0, 5]);
      send(5);
      expect([look(6), look(6)]).toEqual([0, 0]);
      send(1);
      expect(look(6)).toBe(6);
      // and has its whole patience again
      send(5);
      expect([look(6), look(6), look(6), look(6)]).toEqual([0, 0, 0, 5]);
      send(5);
      expect(look(5)).toBe(5);
    },
  );

  it('that waited finds what is there until it takes it, however often it looks', () => {
    const rig = new PlainRig('packed', SIZES.packed, none, false, 2);
    rig.driver.addOne(LOW, 64, false, 0);
    rig.driver.publish();
    const looks = Array.from({ length: 5 }, () => rig.plain.peek(burst, 6));
    expect(looks).toEqual([0, 0, 1, 1, 1]);
  });

  it('of a split ring has an index to go by', () => {
    const rig = new PlainRig('split', SIZES.split, none, false, 3);
    rig.driver.addOne(LOW, 64, false, 0);
    rig.driver.publish();
    expect(rig.plain.peek(burst, 6)).toBe(1);
  });
});

describe('plain buffers of a hostile driver', () => {
  it.each(FORMATS)(
    '%s: the same slot twice ends the burst, and the careful side breaks the queue',
    (format) => {
      const rig = new PlainRig(format, 8, none, false);
      for (let i = 0; i < 3; i++) rig.driver.addOne(LOW, 100, false, i);
      rig.driver.publish();
      if (format === 'split') rig.arena.u16[(rig.driverOffset + 4 + 2 * 2) >>> 1] = 0;
      else rig.arena.u16[(rig.descOffset + 2 * 16 + 12) >>> 1] = 0;
      expect(rig.plain.peek(burst, 16)).toBe(2);
      expect(rig.device.pop(chains, 16)).toBe(2);
      expect(rig.device.violation).not.toBe(0);
      expect(rig.plain.peek(burst, 16)).toBe(0);
    },
  );

  it.each([
    ['split', 8],
    ['split', 0xffff],
    ['packed', 8],
    ['packed', 0xffff],
  ] as const)('%s: slot %i of 8 is not plain', (format, slot) => {
    const rig = new PlainRig(format, 8, none, false);
    rig.driver.addOne(LOW, 100, false, 0);
    rig.driver.publish();
    if (format === 'split') rig.arena.u16[(rig.driverOffset + 4) >>> 1] = slot;
    else rig.arena.u16[(rig.descOffset + 12) >>> 1] = slot;
    expect(rig.plain.peek(burst, 16)).toBe(0);
    expect(rig.device.pop(chains, 16)).toBe(0);
    expect(rig.device.violation).not.toBe(0);
  });

  it('an available index that jumps breaks the queue at once', () => {
    const rig = new PlainRig('split', 8, none, false);
    rig.arena.u16[(rig.driverOffset + 2) >>> 1] = 9;
    expect(rig.plain.peek(burst, 16)).toBe(0);
    expect(rig.device.counters.violations).toBe(1);
  });

  it('positions of a packed ring that a peer made differ keep the fast side away', () => {
    const rig = new PlainRig('packed', 8, none, false);
    rig.driver.addOne(LOW, 100, false, 0);
    rig.driver.publish();
    expect(rig.device.restoreBase(0x8000 | (0x8003 << 16))).toBe(true);
    expect(rig.plain.peek(burst, 16)).toBe(0);
    expect(() => rig.plain.finishRead(burst, 1)).toThrow(/in flight/);
  });
});
