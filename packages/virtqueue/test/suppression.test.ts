import { describe, expect, it } from 'vitest';
import { needEvent, type RingFormat } from '../src/index.ts';
import { GUEST, RawRing } from './kit/raw.ts';

/** One buffer to the device and back. */
function pass(ring: RawRing): void {
  ring.driver.addOne(GUEST, 4, false, 1);
  ring.driver.publish();
  ring.pop();
  ring.device.pushUsed(ring.batch.slot[0], 0);
  ring.device.publishUsed();
}

describe('needEvent (virtio 1.3, 2.7.7)', () => {
  it('is true when the index passed the event, modulo 2^16', () => {
    expect(needEvent(0, 1, 0)).toBe(true);
    expect(needEvent(1, 1, 0)).toBe(false);
    expect(needEvent(5, 6, 5)).toBe(true);
    expect(needEvent(4, 6, 5)).toBe(false);
    expect(needEvent(0xffff, 2, 0xfffe)).toBe(true);
    expect(needEvent(2, 2, 0xfffe)).toBe(false);
    expect(needEvent(-1, 1, -2)).toBe(true);
  });
});

describe.each(['split', 'packed'] as const)('%s', (format: RingFormat) => {
  describe.each([false, true])('EVENT_IDX %s', (eventIdx) => {
    const makeRing = (size = 8) => new RawRing(format, size, { eventIdx });

    it('zeroed memory asks for the first notification both ways, nothing new for none', () => {
      const ring = makeRing();
      expect(ring.driver.shouldKick()).toBe(false);
      expect(ring.device.shouldCall()).toBe(false);
      pass(ring);
      expect(ring.driver.shouldKick()).toBe(true);
      expect(ring.device.shouldCall()).toBe(true);
      expect(ring.driver.shouldKick()).toBe(false);
      expect(ring.device.shouldCall()).toBe(false);
    });

    it('a polling driver and a polling device are never notified, over several turns of every counter', () => {
      const ring = makeRing();
      ring.driver.disableInterrupts();
      ring.device.disableNotifications();
      let notified = 0;
      for (let i = 0; i < 200_000; i++) {
        pass(ring);
        if (ring.driver.shouldKick()) notified++;
        if (ring.device.shouldCall()) notified++;
        ring.popUsed();
      }
      expect(notified).toBe(0);
    });

    it('enabling asks for exactly the next one with EVENT_IDX, for every one without', () => {
      const ring = makeRing();
      ring.driver.disableInterrupts();
      ring.device.disableNotifications();
      pass(ring);
      ring.popUsed();
      expect(ring.driver.shouldKick()).toBe(false);
      ring.driver.enableInterrupts();
      ring.device.enableNotifications();
      ring.device.shouldCall();
      for (const isFirst of [true, false]) {
        pass(ring);
        ring.popUsed();
        expect(ring.driver.shouldKick()).toBe(isFirst || !eventIdx);
        expect(ring.device.shouldCall()).toBe(isFirst || !eventIdx);
      }
    });

    it('enabling after n asks for the n-th used buffer, at most the last one in flight', () => {
      const ring = makeRing();
      for (let i = 0; i < 5; i++) ring.driver.addOne(GUEST, 4, false, i);
      ring.driver.publish();
      ring.pop();
      ring.driver.enableInterruptsAfter(3);
      const calls = [];
      for (let i = 0; i < 5; i++) {
        if (i === 3) ring.driver.enableInterruptsAfter(100);
        ring.device.pushUsed(i, 0);
        ring.device.publishUsed();
        calls.push(ring.device.shouldCall());
        if (i === 2) ring.popUsed();
      }
      expect(calls).toEqual(eventIdx ? [false, false, true, false, true] : [true, true, true, true, true]);
    });

    it('publications that nobody asked about for a whole ring still end in a notification', () => {
      const ring = makeRing();
      ring.driver.enableInterrupts();
      for (let i = 0; i < 70_000; i++) {
        pass(ring);
        ring.popUsed();
      }
      expect(ring.device.shouldCall()).toBe(true);
      expect(ring.driver.shouldKick()).toBe(true);
    });
  });
});

describe('words on a split ring with EVENT_IDX', () => {
  it('flags stay 0 (virtio 1.3, 2.7.7.1 and 2.7.10.1)', () => {
    const ring = new RawRing('split', 8, { eventIdx: true });
    ring.driver.disableInterrupts();
    ring.device.disableNotifications();
    expect(ring.arena.u16[ring.driverOffset >>> 1]).toBe(0);
    expect(ring.arena.u16[ring.deviceOffset >>> 1]).toBe(0);
  });

  it('flags of the other side are ignored', () => {
    const ring = new RawRing('split', 8, { eventIdx: true });
    ring.u16(ring.driverOffset, 1);
    ring.u16(ring.deviceOffset, 1);
    pass(ring);
    expect(ring.driver.shouldKick()).toBe(true);
    expect(ring.device.shouldCall()).toBe(true);
  });
});
