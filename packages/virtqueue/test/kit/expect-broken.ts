import { expect } from 'vitest';
import { violationName } from '../../src/index.ts';
import type { RawRing } from './raw.ts';

/** The queue is broken for this reason, stays so, says so once, and touches nothing any more. */
export function expectBroken(ring: RawRing, code: number): void {
  const { device } = ring;
  expect(violationName(device.violation)).toBe(violationName(code));
  expect(device.counters.violations).toBe(1);
  expect(ring.pop()).toBe(0);
  expect(device.available()).toBe(0);
  expect(device.hasAvailable()).toBe(false);
  expect(device.shouldCall()).toBe(false);
  const before = ring.arena.u8.slice();
  device.pushUsed(0, 0);
  device.publishUsed();
  expect(ring.arena.u8).toEqual(before);
  expect(device.counters.violations).toBe(1);
  device.reset();
  expect(device.violation).toBe(0);
}
