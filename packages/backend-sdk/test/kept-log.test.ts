import { testFrame } from '@vhostlab/datapath/test-kit';
import { PageSet } from '@vhostlab/memory';
import { FeatureSet } from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import { guestLayout } from '../test-kit/index.ts';
import { createPairRig, type PairRig, vring } from './pair-rig.ts';

const BASE = ['VERSION_1', 'EVENT_IDX', 'LOG_ALL'];
const FEATURES = { split: BASE, packed: [...BASE, 'RING_PACKED'] };

function features(rig: PairRig, names: readonly string[]) {
  const bits = FeatureSet.fromNames(names).toBigInt();
  return rig.ask({ case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } });
}

/** A log of all guest memory that the back end keeps. */
function keepLog(rig: PairRig) {
  return rig.ask({ case: 'setLog', value: { enable: true, window: '', sizeBytes: BigInt(rig.logBytes) } });
}

function takeLog(rig: PairRig): number[] {
  const { answer } = rig.ask({ case: 'takeLog', value: {} });
  if (answer.case !== 'log') throw new Error(`answered ${answer.case}`);
  const set = new PageSet(answer.value.length * 8 * 4096);
  set.addLog(answer.value);
  const pages: number[] = [];
  for (let page = set.next(0); page >= 0; page = set.next(page + 1)) pages.push(page);
  return pages;
}

/** Gives the guest one frame in the buffer at slot `slot`. */
function receive(rig: PairRig, slot: number): void {
  rig.drivers[0].addOne(rig.bufferGpa(0, slot), 2048, true, slot);
  rig.drivers[0].publish();
  const index = rig.pool.alloc();
  rig.arena.u8.set(testFrame(slot, 60), rig.pool.offset[index]);
  rig.pool.length[index] = 60;
  rig.pair.enqueue(rig.pool, Uint32Array.of(index), 1);
  rig.pair.publish();
  rig.pair.callIfWanted();
}

const pageOf = (gpa: number) => Math.floor(gpa / 4096);

describe.each(['split', 'packed'] as const)('a dirty log that the back end keeps, %s', (format) => {
  it('has every page that the device wrote: header and frame, used entries, event words', () => {
    const rig = createPairRig(format, FEATURES[format]);
    expect(keepLog(rig).error).toBe(0);
    for (let slot = 0; slot < 5; slot++) receive(rig, slot * 3);
    const buffers = [0, 3, 6, 9, 12].map((slot) => pageOf(rig.bufferGpa(0, slot)));
    const { rings } = guestLayout(format, 256);
    const base = rig.bufferGpa(0, 0) - rings[0].buffers;
    const areas = [0, 1].flatMap((index) => [rig.usedGpa(index), base + rings[index].device].map(pageOf));
    const logged = takeLog(rig);
    expect(logged).toEqual(expect.arrayContaining([...buffers, pageOf(rig.usedGpa(0))]));
    for (const page of logged) expect([...buffers, ...areas]).toContain(page);
    rig.pair.tx?.disableNotifications();
    expect(takeLog(rig)).toEqual([pageOf(base + rings[1].device)]);
    expect(takeLog(rig)).toEqual([]);
  });

  it('has used entries apart from buffers: either can be left out', () => {
    const rig = createPairRig(format, FEATURES[format]);
    keepLog(rig);
    for (const index of [0, 1]) rig.ask({ case: 'setVringLog', value: { index, enable: false } });
    receive(rig, 9);
    expect(takeLog(rig)).toEqual([pageOf(rig.bufferGpa(0, 9))]);
    rig.ask({ case: 'setVringLog', value: { index: 0, enable: true, guestAddr: BigInt(rig.usedGpa(0)) } });
    expect(
      features(
        rig,
        FEATURES[format].filter((name) => name !== 'LOG_ALL'),
      ).error,
    ).toBe(0);
    receive(rig, 12);
    expect(takeLog(rig)).toContain(pageOf(rig.usedGpa(0)));
    receive(rig, 15);
    expect(takeLog(rig)).not.toContain(pageOf(rig.bufferGpa(0, 15)));
  });

  it('has what the end of a ring writes', () => {
    const rig = createPairRig(format, FEATURES[format]);
    keepLog(rig);
    rig.drivers[1].addOne(rig.bufferGpa(1, 0), 72, false, 0);
    rig.drivers[1].publish();
    rig.pair.dequeue(rig.pool, new Uint32Array(64), 64);
    expect(takeLog(rig).filter((page) => page !== pageOf(rig.usedGpa(1)))).toEqual([]);
    rig.ask({ case: 'getVringBase', value: { index: 1 } });
    expect(takeLog(rig)).toEqual([pageOf(rig.usedGpa(1))]);
  });

  it('is refused where there is none, and of a size that cannot be', () => {
    const rig = createPairRig(format, FEATURES[format]);
    expect(rig.ask({ case: 'takeLog', value: {} })).toMatchObject({
      error: 22,
      reason: expect.stringContaining('SetLog'),
    });
    expect(rig.ask({ case: 'setLog', value: { enable: true, window: '', sizeBytes: 0n } }).error).toBe(22);
    expect(rig.ask({ case: 'setLog', value: { enable: true, window: '', sizeBytes: 1n << 40n } }).error).toBe(
      22,
    );
    keepLog(rig);
    rig.ask({ case: 'setLog', value: { enable: false } });
    expect(rig.ask({ case: 'takeLog', value: {} }).error).toBe(22);
    expect(rig.ask({ case: 'setVring', value: vring(format, 0) }).error).toBe(0);
  });
});
