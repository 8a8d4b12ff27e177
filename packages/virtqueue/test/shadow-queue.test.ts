import { createArena } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ChainBatch,
  DirectPublisher,
  ringLayout,
  SegmentList,
  ShadowQueue,
  SplitDevice,
  SplitDriver,
  UsedBatch,
} from '../src/index.ts';

const SIZE = 8;
const DATA = 0x4000;
const DATA_END = 0x10000;

/** A guest, the VMM's shadow of its ring, and a device behind that. */
class ShadowRig {
  readonly arena = createArena(DATA_END);
  readonly #publisher = new DirectPublisher(this.arena);
  readonly #translator = {
    translate: (address: number, length: number) =>
      address >= DATA && address + length <= DATA_END ? address : -1,
  };
  readonly guest = new SplitDriver(this.arena, this.#publisher, this.#place(0x1000));
  readonly device = new SplitDevice(this.arena, this.#publisher, this.#translator, this.#place(0x2000));
  readonly forward: number[] = [];
  readonly back: [number, number][] = [];
  /** Names of buffers by slot, as a side band has them: put at the guest's, carried to the device's and back. */
  readonly names = new Map<number, string>();
  readonly shadowNames = new Map<number, string>();
  readonly returned: string[] = [];
  readonly queue = new ShadowQueue(
    new SplitDevice(this.arena, this.#publisher, this.#translator, this.#place(0x1000)),
    new SplitDriver(this.arena, this.#publisher, this.#place(0x2000)),
    {
      toDevice: (address) => this.forward.push(address),
      toGuest: (address, length) => this.back.push([address, length]),
      offered: (guestSlot, shadowSlot) => this.shadowNames.set(shadowSlot, this.names.get(guestSlot) ?? ''),
      used: (_guestSlot, shadowSlot) => this.returned.push(this.shadowNames.get(shadowSlot) ?? ''),
    },
  );

  #place(at: number) {
    const layout = ringLayout('split', SIZE, true);
    return {
      size: SIZE,
      index: 0,
      descOffset: at,
      driverOffset: at + layout.driver.offset,
      deviceOffset: at + layout.device.offset,
      features: { eventIdx: false, indirect: false, inOrder: false },
    };
  }

  add(name: string, ...segments: [address: number, length: number, writable: boolean][]): number {
    const list = new SegmentList(SIZE);
    for (const segment of segments) list.push(...segment);
    const slot = this.guest.addChain(list, 7);
    this.names.set(slot, name);
    this.guest.publish();
    return slot;
  }
}

describe('shadow virtqueue', () => {
  it('shows the device the chain of the guest, and the guest the length of the device', () => {
    const rig = new ShadowRig();
    const slot = rig.add('a', [DATA, 12, false], [DATA + 64, 100, true], [DATA + 512, 200, true]);
    expect(rig.queue.relay(64)).toBe(1);
    expect(rig.queue.publish()).toBe(true);
    expect(rig.forward).toEqual([DATA]);
    const batch = new ChainBatch(8);
    expect(rig.device.pop(batch, 8)).toBe(1);
    expect([...batch.address.subarray(0, 3)]).toEqual([DATA, DATA + 64, DATA + 512]);
    expect([...batch.length.subarray(0, 3)]).toEqual([12, 100, 200]);
    rig.device.pushUsed(batch.slot[0], 130);
    rig.device.publishUsed();
    expect(rig.queue.complete(64)).toBe(1);
    expect(rig.back).toEqual([
      [DATA + 64, 100],
      [DATA + 512, 30],
    ]);
    expect(rig.queue.publishUsed()).toBe(true);
    const used = new UsedBatch(8);
    expect(rig.guest.popUsed(used, 8)).toBe(1);
    expect([used.slot[0], used.length[0], used.token[0]]).toEqual([slot, 130, 7]);
    expect(rig.returned).toEqual(['a']);
    expect(rig.queue.publish() || rig.queue.publishUsed()).toBe(false);
  });

  it('gives a chain that is not mapped back at once, and keeps what finds no room for later', () => {
    const rig = new ShadowRig();
    rig.add('bad', [0x10, 4, false]);
    for (let i = 0; i < 3; i++) rig.add(`${i}`, [DATA, 4, false], [DATA + 64, 4, true]);
    expect(rig.queue.relay(64)).toBe(4);
    expect(rig.queue.faults).toBe(1);
    expect(rig.queue.unpublished).toBe(1);
    rig.queue.publishUsed();
    const used = new UsedBatch(8);
    expect(rig.guest.popUsed(used, 8)).toBe(1);
    expect(used.length[0]).toBe(0);
    // three chains of two have six of eight places: these two take the others
    rig.add('long', [DATA, 1, false]);
    rig.add('longer', [DATA + 4, 1, false]);
    expect(rig.queue.relay(64)).toBe(2);
    expect(rig.queue.inFlight).toBe(5);
    expect(rig.queue.relay(64)).toBe(0);
  });

  it('relays every buffer once, in whatever order the device uses them', () => {
    const step = fc.constantFrom('add', 'relay', 'pop', 'use', 'complete', 'take');
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(100)), { maxLength: 300 }), (steps) => {
        const rig = new ShadowRig();
        const batch = new ChainBatch(SIZE);
        const used = new UsedBatch(SIZE);
        const held: { slot: number; room: number }[] = [];
        const sent: string[] = [];
        let taken = 0;
        const act = (what: string, n: number) => {
          if (what === 'add' && rig.guest.freeSlots >= 2) {
            sent.push(`${sent.length}`);
            rig.add(sent[sent.length - 1], [DATA + n, 1 + n, false], [DATA + 4096 + n, 64, true]);
          }
          if (what === 'relay') {
            rig.queue.relay(1 + (n % 4));
            rig.queue.publish();
          }
          if (what === 'pop') {
            const count = rig.device.pop(batch, 1 + (n % 4));
            for (let c = 0; c < count; c++) held.push({ slot: batch.slot[c], room: batch.writableBytes[c] });
          }
          if (what === 'use' && held.length > 0) {
            const [one] = held.splice(n % held.length, 1);
            rig.device.pushUsed(one.slot, n % (one.room + 1));
            rig.device.publishUsed();
          }
          if (what === 'complete') {
            rig.queue.complete(1 + (n % 4));
            rig.queue.publishUsed();
          }
          if (what === 'take') taken += rig.guest.popUsed(used, SIZE);
        };
        for (const [what, n] of steps) act(what, n);
        for (let i = 0; i < 4 * SIZE; i++)
          for (const what of ['relay', 'pop', 'use', 'complete', 'take']) act(what, 3);
        expect(taken).toBe(sent.length);
        expect([...rig.returned].sort()).toEqual([...sent].sort());
        expect(rig.queue.inFlight).toBe(0);
        expect(rig.guest.violation + rig.device.violation + rig.queue.guest.violation).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
