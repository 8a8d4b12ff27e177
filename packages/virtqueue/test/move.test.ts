import { createArena } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  type DriverQueue,
  PackedDevice,
  PackedDriver,
  type RingFeatures,
  type RingFormat,
  ringLayout,
  SplitDevice,
  SplitDriver,
  UsedBatch,
} from '../src/index.ts';

const SIZE = 8;
const PAGE = 4096;
const HOSTS = 4;

/** A guest whose memory of one page is copied from host to host, with a device on each. */
class Host {
  readonly arena = createArena(PAGE * (HOSTS + 1));
  readonly #publisher = new DirectPublisher(this.arena);
  readonly #format: RingFormat;
  readonly #features: RingFeatures;
  readonly driver: DriverQueue;
  device: DeviceQueue;
  #at = PAGE;

  constructor(format: RingFormat, features: RingFeatures) {
    this.#format = format;
    this.#features = features;
    const Driver = format === 'split' ? SplitDriver : PackedDriver;
    this.driver = new Driver(this.arena, this.#publisher, this.#place());
    this.device = this.#device();
  }

  #place() {
    const layout = ringLayout(this.#format, SIZE, true);
    return {
      size: SIZE,
      index: 0,
      descOffset: this.#at,
      driverOffset: this.#at + layout.driver.offset,
      deviceOffset: this.#at + layout.device.offset,
      features: this.#features,
    };
  }

  #device(): DeviceQueue {
    const Device = this.#format === 'split' ? SplitDevice : PackedDevice;
    return new Device(this.arena, this.#publisher, { translate: (address) => address }, this.#place());
  }

  /** The device stops at its base; memory is copied, spoilt where it was, and the driver goes on at the copy. */
  migrate(): void {
    const base = this.device.saveBase();
    this.arena.copy(this.#at + PAGE, this.#at, PAGE);
    this.arena.u8.fill(0xaa, this.#at, this.#at + PAGE);
    this.#at += PAGE;
    this.driver.moveTo(this.#publisher, PAGE);
    this.device = this.#device();
    expect(this.device.restoreBase(base)).toBe(true);
  }
}

const kinds: [RingFormat, boolean, boolean][] = [
  ['split', false, false],
  ['split', true, false],
  ['split', false, true],
  ['packed', false, false],
  ['packed', true, true],
];

describe.each(kinds)('a driver that moves: %s, event index %s, in order %s', (format, eventIdx, inOrder) => {
  it('gets every buffer back once, whatever was on its way', () => {
    const step = fc.constantFrom('add', 'pop', 'take', 'kick', 'call');
    const plan = fc.array(fc.array(fc.tuple(step, fc.integer({ min: 1, max: SIZE })), { maxLength: 40 }), {
      minLength: 1,
      maxLength: HOSTS,
    });
    fc.assert(
      fc.property(plan, (phases) => {
        const host = new Host(format, { eventIdx, indirect: false, inOrder });
        const batch = new ChainBatch(SIZE);
        const used = new UsedBatch(SIZE);
        const back: number[] = [];
        let sent = 0;
        const act = (what: string, n: number) => {
          if (what === 'add')
            for (let i = 0; i < n && host.driver.addOne(64, 4, true, sent) >= 0; i++) sent++;
          if (what === 'add') host.driver.publish();
          if (what === 'pop') {
            const count = host.device.pop(batch, n);
            for (let c = 0; c < count; c++) host.device.pushUsed(batch.slot[c], 4);
            if (count > 0) host.device.publishUsed();
          }
          if (what === 'take') {
            const count = host.driver.popUsed(used, n);
            back.push(...used.token.subarray(0, count));
          }
          if (what === 'kick') host.driver.shouldKick();
          if (what === 'call') host.device.shouldCall();
        };
        phases.forEach((phase, i) => {
          if (i > 0) host.migrate();
          for (const [what, n] of phase) act(what, n);
        });
        for (let i = 0; i < SIZE; i++) for (const what of ['pop', 'take']) act(what, SIZE);
        expect(back.sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
        expect(host.driver.violation + host.device.violation).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a driver that cannot move', () => {
  it('has added what it did not publish, or is asked to move by part of a page', () => {
    for (const format of ['split', 'packed'] as const) {
      const host = new Host(format, { eventIdx: false, indirect: false, inOrder: false });
      const publisher = new DirectPublisher(host.arena);
      expect(() => host.driver.moveTo(publisher, 100)).toThrow('whole pages');
      host.driver.addOne(64, 4, true, 0);
      expect(() => host.driver.moveTo(publisher, PAGE)).toThrow('everything added is published');
    }
  });
});
