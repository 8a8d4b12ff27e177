import { hex, testFrame } from '@vhostlab/datapath/test-kit';
import { SegmentList, UsedBatch } from '@vhostlab/virtqueue';
import { describe, expect, it } from 'vitest';
import type { VhostRequestInit } from '../src/index.ts';
import { UNMAPPED_GPA, USER_BASE } from '../test-kit/index.ts';
import { createPairRig, type PairRig, vring } from './pair-rig.ts';

const BASE = ['VERSION_1', 'EVENT_IDX', 'INDIRECT_DESC'];
const FEATURES = { split: BASE, packed: [...BASE, 'RING_PACKED'] };

/** Puts a frame into a pool buffer. */
function frameIn({ pool, arena }: PairRig, packet: number, length: number): number {
  const index = pool.alloc();
  arena.u8.set(testFrame(packet, length), pool.offset[index]);
  pool.length[index] = length;
  return index;
}

function counts({ counters }: PairRig): Record<string, number> {
  return Object.fromEntries(
    [...counters].filter(([, { value }]) => value > 0).map(([name, { value }]) => [name, value]),
  );
}

describe.each(['split', 'packed'] as const)('queue pair, %s ring', (format) => {
  it('takes one frame into several buffers even when it comes alone', () => {
    const rig = createPairRig(format, [...FEATURES[format], 'MRG_RXBUF']);
    const [rx] = rig.drivers;
    for (let b = 0; b < 10; b++) rx.addOne(rig.bufferGpa(0, b), 100, true, b);
    rx.publish();
    rig.pair.enqueue(rig.pool, Uint32Array.of(frameIn(rig, 1, 500)), 1);
    expect(rig.pair.publish()).toBe(true);
    const used = new UsedBatch(16);
    expect(rx.popUsed(used, 16)).toBe(6);
    expect([...used.length.slice(0, 6)]).toEqual([100, 100, 100, 100, 100, 12]);
    expect(counts(rig)).toEqual({});
    expect(rig.pool.inUse).toBe(0);
  });

  it('leaves receive buffers that it did not need', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const [rx] = rig.drivers;
    for (let b = 0; b < 5; b++) rx.addOne(rig.bufferGpa(0, b), 2048, true, b);
    rx.publish();
    rig.pair.enqueue(rig.pool, Uint32Array.of(frameIn(rig, 1, 60), frameIn(rig, 2, 60)), 2);
    rig.pair.publish();
    const indices = Uint32Array.from({ length: 4 }, (_, i) => frameIn(rig, i, 60));
    rig.pair.enqueue(rig.pool, indices, 4);
    rig.pair.publish();
    const used = new UsedBatch(16);
    expect(rx.popUsed(used, 16)).toBe(5);
    expect(counts(rig)).toEqual({ 'drop.guest-ring-full': 1 });
    expect(rig.pool.inUse).toBe(0);
  });

  it('keeps frames that find no room when asked to', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const [rx] = rig.drivers;
    rx.addOne(rig.bufferGpa(0, 0), 2048, true, 0);
    rx.publish();
    const indices = Uint32Array.of(frameIn(rig, 1, 60), frameIn(rig, 2, 60));
    expect(rig.pair.enqueueUntilFull(rig.pool, indices, 2)).toBe(1);
    expect(rig.pool.inUse).toBe(1);
    rig.pair.waitForBuffers();
    expect(rig.pair.hasMoreBuffers()).toBe(false);
    rx.addOne(rig.bufferGpa(0, 1), 2048, true, 1);
    rx.publish();
    expect(rx.shouldKick()).toBe(true);
    expect(rig.pair.hasMoreBuffers()).toBe(true);
    expect(rig.pair.enqueueUntilFull(rig.pool, indices.subarray(1), 1)).toBe(1);
    expect(counts(rig)).toEqual({});
  });

  it('takes a header that is cut anywhere and asks nothing of the memory behind it', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const tx = rig.drivers[1];
    const frame = testFrame(9, 300);
    for (let cut = 1; cut <= 20; cut++) {
      const at = rig.bufferOffset(1, cut);
      const gpa = rig.bufferGpa(1, cut);
      rig.arena.u8.fill(0, at, at + 12);
      rig.arena.u8.set(frame, at + 12);
      const segments = new SegmentList(4);
      segments.push(gpa, cut, false);
      segments.push(gpa + cut, 312 - cut, false);
      tx.addChain(segments, cut);
    }
    tx.publish();
    const out = new Uint32Array(64);
    expect(rig.pair.dequeue(rig.pool, out, 64)).toBe(20);
    for (let i = 0; i < 20; i++) {
      const at = rig.pool.offset[out[i]];
      expect(hex(rig.arena.u8.subarray(at, at + rig.pool.length[out[i]]))).toBe(hex(frame));
    }
  });

  it('names why a chain was not taken and completes it', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const tx = rig.drivers[1];
    const gpa = rig.bufferGpa(1, 0);
    rig.arena.u8.fill(0, rig.bufferOffset(1, 0), rig.bufferOffset(1, 1));
    tx.addOne(UNMAPPED_GPA, 72, false, 0);
    tx.addOne(gpa, 12, false, 1);
    tx.addOne(gpa, 4000, false, 2);
    tx.addOne(gpa, 72, true, 3);
    // a checksum offload that was not negotiated
    rig.arena.u8[rig.bufferOffset(1, 1)] = 1;
    tx.addOne(rig.bufferGpa(1, 1), 72, false, 4);
    tx.publish();
    const out = new Uint32Array(64);
    expect(rig.pair.dequeue(rig.pool, out, 64)).toBe(0);
    expect(rig.pair.hasUnpublished).toBe(true);
    expect(rig.pair.publish()).toBe(true);
    const used = new UsedBatch(16);
    expect(tx.popUsed(used, 16)).toBe(5);
    expect([...used.length.slice(0, 5)]).toEqual([0, 0, 0, 0, 0]);
    expect(counts(rig)).toEqual({
      'drop.unmapped': 1,
      'drop.too-short': 2,
      'drop.frame-too-long': 1,
      'drop.csum-not-negotiated': 1,
    });
  });

  it('answers where a ring stands, and goes on from there', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const tx = rig.drivers[1];
    const out = new Uint32Array(64);
    for (let i = 0; i < 3; i++) tx.addOne(rig.bufferGpa(1, i), 72, false, i);
    tx.publish();
    expect(rig.pair.dequeue(rig.pool, out, 64)).toBe(3);
    // taken and not yet given back: stopping the ring gives it back
    const reply = rig.ask({ case: 'getVringBase', value: { index: 1 } });
    expect(reply.answer.case).toBe('vringBase');
    const base = reply.answer.case === 'vringBase' ? reply.answer.value.base : -1;
    expect(base).toBe(format === 'packed' ? 0x8003_8003 : 3);
    const used = new UsedBatch(16);
    expect(tx.popUsed(used, 16)).toBe(3);
    tx.addOne(rig.bufferGpa(1, 3), 72, false, 3);
    tx.publish();
    expect(rig.pair.dequeue(rig.pool, out, 64)).toBe(0);
    expect(rig.ask({ case: 'setVring', value: { ...vring(format, 1), base } }).error).toBe(0);
    expect(rig.pair.dequeue(rig.pool, out, 64)).toBe(1);
  });

  it('logs the pages that it writes, and no others', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const [rx, tx] = rig.drivers;
    const log = { enable: true, window: 'guest0', windowOffset: 0n, sizeBytes: BigInt(rig.logBytes) };
    expect(rig.ask({ case: 'setLog', value: { ...log, window: 'guest1' } }).error).toBe(22);
    expect(rig.ask({ case: 'setLog', value: { ...log, windowOffset: BigInt(rig.logOffset) } }).error).toBe(0);
    for (let b = 0; b < 3; b++) rx.addOne(rig.bufferGpa(0, b * 2), 2048, true, b);
    rx.publish();
    tx.addOne(rig.bufferGpa(1, 0), 72, false, 0);
    tx.publish();
    rig.pair.enqueue(rig.pool, Uint32Array.of(frameIn(rig, 1, 1514), frameIn(rig, 2, 60)), 2);
    rig.pair.publish();
    const pages = [rig.bufferGpa(0, 0), rig.bufferGpa(0, 2), rig.usedGpa(0)].map((gpa) =>
      Math.floor(gpa / 4096),
    );
    expect(rig.dirtyPages()).toEqual([...new Set(pages)].sort((a, b) => a - b));
    expect(rig.pair.dequeue(rig.pool, new Uint32Array(64), 64)).toBe(1);
    rig.pair.publish();
    expect(rig.dirtyPages()).toEqual([Math.floor(rig.usedGpa(1) / 4096)]);
    expect(rig.ask({ case: 'setLog', value: { enable: false } }).error).toBe(0);
    rig.pair.enqueue(rig.pool, Uint32Array.of(frameIn(rig, 3, 60)), 1);
    rig.pair.publish();
    expect(rig.dirtyPages()).toEqual([]);
  });

  it('refuses what it cannot do with an errno and a sentence, and changes nothing', () => {
    const rig = createPairRig(format, FEATURES[format]);
    const ring = vring(format, 0);
    const far = { ...ring, deviceAddr: BigInt(USER_BASE) + 0x1000_0000n };
    const region = {
      guestPhysAddr: 0n,
      sizeBytes: 1n << 40n,
      userAddr: 0n,
      window: 'guest0',
      windowOffset: 0n,
      pageBytes: 4096n,
    };
    const refused: { request: VhostRequestInit | undefined; error: number }[] = [
      { request: { case: 'setFeatures', value: { features: { bits: 1n } } }, error: 22 },
      { request: { case: 'setVring', value: { ...ring, num: 0 } }, error: 22 },
      { request: { case: 'setVring', value: { ...ring, num: 65_536 } }, error: 22 },
      { request: { case: 'setVring', value: far }, error: 22 },
      {
        request: { case: 'setVring', value: { ...ring, descriptorAddr: ring.descriptorAddr + 8n } },
        error: 22,
      },
      { request: { case: 'setVring', value: { ...ring, driverAddr: ring.driverAddr + 1n } }, error: 22 },
      { request: { case: 'getProtocolFeatures', value: {} }, error: 95 },
      { request: { case: 'setProtocolFeatures', value: { bits: 1n } }, error: 22 },
      { request: { case: 'setMemTable', value: { regions: [region] } }, error: 22 },
      { request: { case: 'suspend', value: {} }, error: 95 },
      { request: undefined, error: 95 },
    ];
    for (const { request, error } of refused) {
      const reply = rig.ask(request);
      expect(reply.error).toBe(error);
      expect(reply.reason.length).toBeGreaterThan(10);
    }
    const tx = rig.drivers[1];
    tx.addOne(rig.bufferGpa(1, 0), 72, false, 0);
    tx.publish();
    expect(rig.pair.dequeue(rig.pool, new Uint32Array(64), 64)).toBe(1);
  });
});
