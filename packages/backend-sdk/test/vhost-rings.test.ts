import { testFrame } from '@vhostlab/datapath/test-kit';
import { describe, expect, it } from 'vitest';
import { GPA_BASE, guestLayout } from '../test-kit/index.ts';
import { createPairRig, type PairRig, vring } from './pair-rig.ts';

const BASE = ['VERSION_1', 'EVENT_IDX', 'INDIRECT_DESC'];
const FEATURES = { split: BASE, packed: [...BASE, 'RING_PACKED'] };
const SIZE = 256;

/** Sends `count` frames of 60 bytes; how many the pair takes. */
function transmit(rig: PairRig, count: number): number {
  const tx = rig.drivers[1];
  for (let i = 0; i < count; i++) tx.addOne(rig.bufferGpa(1, i), 72, false, i);
  tx.publish();
  const out = new Uint32Array(64);
  const taken = rig.pair.dequeue(rig.pool, out, 64);
  rig.pool.freeBulk(out, 0, taken);
  rig.pair.publish();
  rig.pair.callIfWanted();
  return taken;
}

/** Gives the guest `count` frames of 60 bytes and buffers for them. */
function receive(rig: PairRig, count: number): void {
  const rx = rig.drivers[0];
  for (let i = 0; i < count; i++) rx.addOne(rig.bufferGpa(0, i), 2048, true, i);
  rx.publish();
  const indices = Uint32Array.from({ length: count }, (_, i) => {
    const index = rig.pool.alloc();
    rig.arena.u8.set(testFrame(i, 60), rig.pool.offset[index]);
    rig.pool.length[index] = 60;
    return index;
  });
  rig.pair.enqueue(rig.pool, indices, count);
  rig.pair.publish();
  rig.pair.callIfWanted();
}

function state(rig: PairRig, index: number) {
  const { answer } = rig.ask({ case: 'getVringState', value: { index } });
  if (answer.case !== 'vringState') throw new Error(`answered ${answer.case}`);
  const { $typeName, ...rest } = answer.value;
  return rest;
}

describe.each(['split', 'packed'] as const)('rings that the front end turns on and off, %s', (format) => {
  it('empties a disabled transmit ring without passing its frames on', () => {
    const rig = createPairRig(format, FEATURES[format]);
    expect(rig.ask({ case: 'setVringEnable', value: { index: 1, enable: false } }).error).toBe(0);
    expect(transmit(rig, 5)).toBe(0);
    expect(rig.drivers[1].hasUsed()).toBe(true);
    expect(rig.counters.get('drop.ring-disabled')?.value).toBe(5);
    rig.ask({ case: 'setVringEnable', value: { index: 1, enable: true } });
    expect(transmit(rig, 3)).toBe(3);
    expect(rig.counters.get('drop.ring-disabled')?.value).toBe(5);
  });

  it('leaves a disabled receive ring alone, also when it is started later', () => {
    const rig = createPairRig(format, FEATURES[format]);
    rig.ask({ case: 'setVringEnable', value: { index: 0, enable: false } });
    receive(rig, 4);
    expect(rig.drivers[0].hasUsed()).toBe(false);
    expect(rig.counters.get('drop.guest-ring-full')?.value).toBe(4);
    const { answer } = rig.ask({ case: 'getVringBase', value: { index: 0 } });
    const base = answer.case === 'vringBase' ? answer.value.base : -1;
    rig.ask({ case: 'setVring', value: { ...vring(format, 0), base } });
    expect(rig.pair.rx).toBeUndefined();
    rig.ask({ case: 'setVringEnable', value: { index: 0, enable: true } });
    receive(rig, 2);
    expect(rig.drivers[0].hasUsed()).toBe(true);
    expect(state(rig, 0).frames).toBe(2n);
  });

  it('tells what went through and where a ring stands', () => {
    const rig = createPairRig(format, FEATURES[format]);
    transmit(rig, 3);
    receive(rig, 2);
    const counts = { frames: 3n, bytes: 180n, calls: 1n, callsSuppressed: 0n };
    const base = format === 'packed' ? 0x8003_8003 : 3;
    expect(state(rig, 1)).toEqual({ index: 1, running: true, base, violation: '', ...counts });
    expect(state(rig, 0)).toMatchObject({ frames: 2n, bytes: 120n, running: true });
    rig.ask({ case: 'getVringBase', value: { index: 1 } });
    expect(state(rig, 1)).toMatchObject({ running: false, base: 0, frames: 3n });
  });

  it('goes on elsewhere after its memory was mapped anew', () => {
    const rig = createPairRig(format, FEATURES[format]);
    transmit(rig, 3);
    // addresses of the VMM that are offsets in the arena, as a real front end's are resolved
    const { bytes, rings } = guestLayout(format, SIZE);
    const start = rig.bufferOffset(0, 0) - rings[0].buffers;
    const { answer } = rig.ask({ case: 'getVringBase', value: { index: 1 } });
    const base = answer.case === 'vringBase' ? answer.value.base : -1;
    const region = {
      guestPhysAddr: BigInt(GPA_BASE),
      sizeBytes: BigInt(bytes),
      userAddr: BigInt(start),
      window: 'guest0',
      windowOffset: 0n,
      pageBytes: 4096n,
    };
    expect(rig.ask({ case: 'setMemTable', value: { regions: [] } }).error).toBe(0);
    expect(rig.ask({ case: 'setMemTable', value: { regions: [region] } }).error).toBe(0);
    const { desc, driver, device } = rings[1];
    const moved = {
      descriptorAddr: BigInt(start + desc),
      driverAddr: BigInt(start + driver),
      deviceAddr: BigInt(start + device),
    };
    expect(rig.ask({ case: 'setVring', value: { ...vring(format, 1), ...moved, base } }).error).toBe(0);
    expect(transmit(rig, 2)).toBe(2);
    expect(state(rig, 1).frames).toBe(5n);
  });

  it('logs used entries where the VMM says, or not at all', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const log = {
      enable: true,
      window: 'guest0',
      windowOffset: BigInt(rig.logOffset),
      sizeBytes: BigInt(rig.logBytes),
    };
    rig.ask({ case: 'setLog', value: log });
    rig.ask({ case: 'setVringLog', value: { index: 1, enable: true, guestAddr: 0x5000n } });
    transmit(rig, 1);
    expect(rig.dirtyPages()[0]).toBe(5);
    rig.ask({ case: 'setVringLog', value: { index: 1, enable: false } });
    transmit(rig, 1);
    expect(rig.dirtyPages()).toEqual([]);
  });
});
