import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import { DirectPublisher, PackedDriver, ringPlaceProblem, SegmentList, SplitDevice } from '../src/index.ts';
import { AVAIL, GUEST, RawRing, RING, translator, USED } from './kit/raw.ts';

/** `count` buffers to the device and back, one by one. */
function pass(ring: RawRing, count: number): void {
  for (let i = 0; i < count; i++) {
    ring.driver.addOne(GUEST, 4, false, i);
    ring.driver.publish();
    ring.pop();
    ring.device.pushUsed(ring.batch.slot[0], 0);
    ring.device.publishUsed();
    expect(ring.popUsed()).toBe(1);
  }
}

describe('saved and restored positions', () => {
  it('split: the next available index, of which a peer gives 16 bits', () => {
    const ring = new RawRing('split', 8);
    pass(ring, 70_003);
    const base = 70_003 & 0xffff;
    expect(ring.device.saveBase()).toBe(base);
    expect(ring.driver.saveBase()).toBe((base | (base << 16)) >>> 0);
    const next = new RawRing('split', 8);
    expect(next.device.restoreBase(base)).toBe(true);
    next.driver.restoreBase(ring.driver.saveBase());
    pass(next, 20);
    expect(next.device.saveBase()).toBe((base + 20) & 0xffff);
  });

  it('split, in order: descriptors go on with the available ring, as if they had never stopped', () => {
    const ring = new RawRing('split', 8, { inOrder: true });
    ring.driver.restoreBase(13 | (13 << 16));
    expect([0, 1, 2, 3].map(() => ring.driver.addOne(GUEST, 4, false, 0))).toEqual([5, 6, 7, 0]);
  });

  it.each([7, 8, 13])(
    'packed ring of 8 after %i buffers: slots and wrap counters of both positions',
    (count) => {
      const ring = new RawRing('packed', 8);
      pass(ring, count);
      const half = (count % 8) | (count < 8 ? 0x8000 : 0);
      const base = (half | (half << 16)) >>> 0;
      expect(ring.device.saveBase()).toBe(base);
      expect(ring.driver.saveBase()).toBe(base);
      const next = new RawRing('packed', 8);
      for (let slot = 0; slot < 8; slot++) next.desc(slot, 0, 0, count < 8 ? 0 : AVAIL | USED, 0);
      expect(next.device.restoreBase(base)).toBe(true);
      next.driver.restoreBase(base);
      pass(next, 20);
    },
  );

  it('packed: a peer that sends 16 bits means both positions', () => {
    const ring = new RawRing('packed', 8);
    expect(ring.device.restoreBase(0x8000)).toBe(true);
    expect(ring.device.saveBase()).toBe(0x8000_8000);
    expect(ring.device.restoreBase(0x8003)).toBe(true);
    expect(ring.device.saveBase()).toBe(0x8003_8003);
    expect(ring.device.restoreBase(0x8000_0003)).toBe(true);
    expect(ring.device.saveBase()).toBe(0x8000_0003);
  });

  it('packed: a position outside the ring is refused and changes nothing', () => {
    const ring = new RawRing('packed', 8);
    const before = ring.device.saveBase();
    for (const base of [0x8008, 0x8008_8000, 0x8000_8008, 0x7fff, 0xffff_ffff]) {
      expect(ring.device.restoreBase(base)).toBe(false);
    }
    expect(ring.device.saveBase()).toBe(before);
    expect(() => ring.driver.restoreBase(0x8008_8008)).toThrow('outside a ring of 8');
  });

  it('used position behind the available one while buffers are in flight', () => {
    const ring = new RawRing('packed', 8);
    for (let i = 0; i < 3; i++) ring.driver.addOne(GUEST, 4, false, i);
    ring.driver.publish();
    ring.pop();
    ring.device.pushUsed(1, 0);
    ring.device.publishUsed();
    expect(ring.device.saveBase()).toBe(0x8001_8003);
    expect(() => ring.driver.restoreBase(0x8003_8003)).toThrow('3 buffers in flight');
  });

  it.each(['split', 'packed'] as const)(
    '%s: the first notification after a restore does not trust old words',
    (format) => {
      const ring = new RawRing(format, 8, { eventIdx: true });
      ring.driver.restoreBase(format === 'split' ? 0x0005_0005 : 0x8005_8005);
      ring.device.restoreBase(format === 'split' ? 5 : 0x8005);
      pass(ring, 1);
      expect(ring.driver.shouldKick()).toBe(true);
      expect(ring.device.shouldCall()).toBe(true);
      pass(ring, 1);
      const isEnabledByZeroes = format === 'packed';
      expect(ring.driver.shouldKick()).toBe(isEnabledByZeroes);
      expect(ring.device.shouldCall()).toBe(isEnabledByZeroes);
      ring.driver.enableInterrupts();
      ring.device.enableNotifications();
      for (const isFirst of [true, false]) {
        pass(ring, 1);
        expect(ring.driver.shouldKick()).toBe(isFirst);
        expect(ring.device.shouldCall()).toBe(isFirst);
      }
    },
  );
});

describe.each(['split', 'packed'] as const)('%s queue reset (virtio 1.3, 2.6.1)', (format) => {
  it.each([false, true])(
    'outstanding buffers are listed oldest first, then everything starts over (IN_ORDER %s)',
    (inOrder) => {
      const ring = new RawRing(format, 8, { inOrder });
      pass(ring, 5);
      const segments = new SegmentList(3);
      for (let i = 0; i < 3; i++) segments.push(GUEST, 4, true);
      ring.driver.addOne(GUEST, 4, false, 30);
      ring.driver.addChain(segments, 31);
      ring.driver.addOne(GUEST, 4, false, 32);
      ring.driver.publish();
      expect(ring.pop()).toBe(3);
      ring.driver.addOne(GUEST, 4, false, 33);
      expect(ring.driver.outstanding().map((each) => each.token)).toEqual([30, 31, 32, 33]);
      ring.driver.disableInterrupts();
      ring.device.reset();
      ring.driver.reset();
      expect(ring.driver.outstanding()).toEqual([]);
      expect(ring.driver.freeSlots).toBe(8);
      expect(ring.device.inFlight).toBe(0);
      expect(ring.device.available()).toBe(0);
      const bytes = ring.arena.u8.subarray(RING, ring.deviceOffset + 4);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
      pass(ring, 20);
    },
  );
});

describe('misuse of a queue throws', () => {
  it.each(['split', 'packed'] as const)('%s: a slot that is not in flight', (format) => {
    for (const inOrder of [false, true]) {
      const ring = new RawRing(format, 8, { inOrder });
      expect(() => ring.device.pushUsed(0, 0)).toThrow('slot 0 is not in flight');
      expect(() => ring.device.pushUsed(9, 0)).toThrow('not in flight');
      expect(() => ring.device.pushUsedBurst(Uint16Array.of(3, 4), 2, 0)).toThrow('slot 3 is not in flight');
      ring.driver.addOne(GUEST, 4, false, 0);
      ring.driver.publish();
      ring.pop();
      ring.device.pushUsed(0, 0);
      expect(() => ring.device.pushUsed(0, 0)).toThrow('not in flight');
      expect(() => ring.device.unpop(1)).toThrow('not in flight');
    }
  });

  it.each(['split', 'packed'] as const)('%s: segment lists that are no buffer', (format) => {
    const { driver } = new RawRing(format, 2);
    const list = new SegmentList(4);
    expect(() => driver.addChain(list, 0)).toThrow('a buffer of 0 segments');
    list.push(GUEST, 4, true);
    list.push(GUEST, 4, false);
    expect(() => driver.addChain(list, 0)).toThrow('comes after');
    list.clear();
    for (let i = 0; i < 3; i++) list.push(GUEST, 4, false);
    expect(() => driver.addChain(list, 0)).toThrow('a buffer of 3 segments does not go into 2');
    list.clear();
    list.push(GUEST, 4, false);
    expect(() => driver.addIndirect(list, 0)).toThrow('queue 0 has no indirect tables');
  });

  it('a queue that does not fit or lies crooked', () => {
    const arena = createArena(8192);
    const publisher = new DirectPublisher(arena);
    const features = { eventIdx: true, indirect: false, inOrder: false };
    const place = { size: 4, index: 0, descOffset: 4096, driverOffset: 4160, deviceOffset: 4176, features };
    expect(() => new SplitDevice(arena, publisher, translator, { ...place, descOffset: 4104 })).toThrow(
      'the desc area is at 4104; a split ring needs a multiple of 16.',
    );
    expect(() => new PackedDriver(arena, publisher, { ...place, deviceOffset: 8192 })).toThrow(
      'the device area of 4 bytes at 8192 is outside the memory of 8192 bytes.',
    );
    expect(ringPlaceProblem('split', 4, true, place, 8192)).toBeUndefined();
    expect(ringPlaceProblem('split', 3, true, place, 8192)).toContain('queue size 3');
  });
});
