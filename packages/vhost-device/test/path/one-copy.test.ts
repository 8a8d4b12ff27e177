import { UsedBatch } from '@vhostlab/virtqueue';
import { describe, expect, it } from 'vitest';
import { NEEDS_BATCH } from '../../src/path/one-copy.ts';
import { HIGH, KINDS, LOW, PathRig, pattern, type RigOptions } from './path-rig.ts';

const used = new UsedBatch(64);

function send(rig: PathRig, i: number, frameBytes: number, skew = 0): void {
  const address = LOW + 0x1000 * i + skew;
  expect(rig.tx.addOne(address, 12 + frameBytes, false, i)).toBeGreaterThanOrEqual(0);
  rig.arena.u8.fill(0, rig.placeOf(address), rig.placeOf(address) + 12);
  rig.arena.u8.set(pattern(i, frameBytes), rig.placeOf(address) + 12);
  rig.tx.publish();
}

function offer(rig: PathRig, i: number, bytes = 2048, skew = 0): number {
  const address = HIGH + 0x1000 * i + skew;
  expect(rig.rx.addOne(address, bytes, true, i)).toBeGreaterThanOrEqual(0);
  rig.rx.publish();
  return rig.placeOf(address);
}

/** Frame in used receive buffer `i`, which was offered with this skew. */
function received(rig: PathRig, i: number, skew = 0): Buffer {
  const at = rig.placeOf(HIGH + 0x1000 * used.token[i] + skew);
  return Buffer.from(rig.arena.u8.slice(at + 12, at + used.length[i]));
}

function withOffloads(options: RigOptions, ...more: RigOptions['features']): RigOptions {
  return { ...options, features: [...options.features, 'CSUM', 'HOST_TSO4', ...more] };
}

describe.each(KINDS)('one copy, %s', (_, options) => {
  it.each([false, true])('frames of all alignments arrive (addresses exchanged: %s)', (swaps) => {
    const rig = new PathRig(options);
    const forward = rig.oneCopy(swaps);
    for (let turn = 0; turn < 64; turn++) {
      const skews = [turn & 7, turn >> 3];
      for (let i = 0; i < 5; i++) {
        send(rig, i, 14 + turn * 29 + i, skews[0]);
        offer(rig, i, 2048, skews[1]);
      }
      expect(forward.turn(64)).toBe(5);
      expect(rig.rx.popUsed(used, 64)).toBe(5);
      for (let i = 0; i < 5; i++) {
        const sent = pattern(i, 14 + turn * 29 + i);
        const expected = swaps
          ? Buffer.concat([sent.subarray(6, 12), sent.subarray(0, 6), sent.subarray(12)])
          : sent;
        expect(received(rig, i, skews[1]).equals(expected)).toBe(true);
      }
      expect(rig.tx.popUsed(used, 64)).toBe(5);
    }
    expect([rig.counter(0, 'frames'), rig.counter(1, 'frames')]).toEqual([320, 320]);
  });

  it('frames without a buffer stay in the ring of their sender, in order', () => {
    const rig = new PathRig(options);
    const forward = rig.oneCopy();
    for (let i = 0; i < 6; i++) send(rig, i, 60);
    expect(forward.turn(64)).toBe(0);
    offer(rig, 0);
    offer(rig, 1);
    expect(forward.turn(64)).toBe(2);
    expect(rig.tx.popUsed(used, 64)).toBe(2);
    for (let i = 2; i < 9; i++) offer(rig, i);
    expect(forward.turn(3)).toBe(3);
    expect(forward.turn(64)).toBe(1);
    expect(rig.rx.popUsed(used, 64)).toBe(6);
    for (let i = 0; i < 6; i++) expect(received(rig, i).equals(pattern(i, 60))).toBe(true);
    expect([rig.drops(0), rig.drops(1)]).toEqual([{}, {}]);
  });

  it('what is not of the fast kind is left to batches', () => {
    const rig = new PathRig(options);
    const forward = rig.oneCopy();
    send(rig, 0, 60);
    send(rig, 1, 13);
    send(rig, 2, 1000);
    offer(rig, 0);
    offer(rig, 1, 500);
    expect(forward.turn(64)).toBe(1);
    expect(forward.turn(64)).toBe(NEEDS_BATCH);
    expect(rig.transmit.dequeue(rig.batch, 1)).toBe(1);
    expect(rig.drops(1)).toEqual({ drop_too_short: 1 });
    expect(forward.turn(64)).toBe(NEEDS_BATCH);
    rig.memory.setLog({ arenaOffset: 0x1_0000, bytes: 0x1000, logAll: true } as never);
    send(rig, 3, 60);
    expect(forward.turn(64)).toBe(NEEDS_BATCH);
  });

  it('an offload goes along when the receiver takes it, and stops the burst when not', () => {
    for (const takes of [true, false]) {
      const rig = new PathRig(
        withOffloads(options, ...(takes ? (['GUEST_CSUM', 'GUEST_TSO4'] as const) : [])),
      );
      const forward = rig.oneCopy();
      const headers = [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0],
        [1, 1, 54, 0, 200, 0, 34, 0, 16, 0, 9, 9],
        [0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ];
      for (const [i, header] of headers.entries()) {
        send(rig, i, 500);
        rig.arena.u8.set(header, rig.placeOf(LOW + 0x1000 * i));
      }
      const at = headers.map((__, i) => offer(rig, i));
      expect(forward.turn(64)).toBe(takes ? 4 : 1);
      if (!takes) {
        expect(forward.turn(64)).toBe(NEEDS_BATCH);
        continue;
      }
      const got = at.map((place) => [...rig.arena.u8.slice(place, place + 12)]);
      expect(got[0]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
      expect(got[1]).toEqual([1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 1, 0]);
      expect(got[2]).toEqual([1, 1, 54, 0, 200, 0, 34, 0, 16, 0, 1, 0]);
      expect(got[3].slice(0, 2)).toEqual([0, 0]);
    }
  });

  it('moves no more than it is asked for, and no more than a burst', () => {
    const rig = new PathRig(options);
    const frames = 40;
    for (let i = 0; i < frames; i++) {
      send(rig, i, 64);
      offer(rig, i);
    }
    expect(rig.oneCopy().turn(32)).toBe(32);
    expect(rig.oneCopy().turn(64)).toBe(8);
    expect(rig.rx.popUsed(used, 64)).toBe(frames);
    for (let i = 0; i < frames; i++) expect(received(rig, i).equals(pattern(i, 64))).toBe(true);
  });
});
