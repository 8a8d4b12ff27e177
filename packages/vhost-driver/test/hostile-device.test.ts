import { afterEach, describe, expect, it } from 'vitest';
import { enqueue } from './fake-device.ts';
import { LocalRig } from './rig.ts';

const rigs: LocalRig[] = [];

afterEach(() => {
  for (const made of rigs.splice(0)) made.close();
});

/** A guest of two pairs that sends on both, and has 64 receive buffers posted on each. */
function rig(ring: 'split' | 'packed', mrgRxbuf = true): LocalRig {
  const traffic = { kind: 'udp', packets: 1e6, size: '64', flows: 2, lineBps: 25e9, seed: 1 } as const;
  const made = new LocalRig({
    ring,
    queues: 2,
    features: { inOrder: false, mrgRxbuf },
    workload: { kind: 'tx', traffic },
  });
  rigs.push(made);
  return made;
}

/** Writes one used entry of a split ring and moves its index by `step`. */
function splitUsed(made: LocalRig, queue: number, id: number, length: number, step = 1): void {
  const { rx, tx } = made.pairs[queue >> 1];
  const { deviceOffset, size } = queue % 2 === 0 ? rx : tx;
  const { u16, u32 } = made.memory.arena;
  const index = u16[(deviceOffset + 2) >>> 1];
  const w = (deviceOffset + 4 + 8 * (index & (size - 1))) >>> 2;
  u32[w] = id;
  u32[w + 1] = length;
  Atomics.store(u16, (deviceOffset + 2) >>> 1, (index + step) & 0xffff);
}

/** Marks the first descriptor of a packed ring used, with this id and length. */
function packedUsed(made: LocalRig, queue: number, id: number, length: number): void {
  const { rx, tx } = made.pairs[queue >> 1];
  const { descOffset } = queue % 2 === 0 ? rx : tx;
  const { u16, u32 } = made.memory.arena;
  u32[(descOffset + 8) >>> 2] = length;
  u16[(descOffset + 12) >>> 1] = id;
  const write = queue % 2 === 0 ? 2 : 0;
  Atomics.store(u16, (descOffset + 14) >>> 1, 0x8080 | write);
}

function violationOf(made: LocalRig, queue: number): string | undefined {
  for (const { app } of made.runners) app.turn();
  return made.runners[queue >> 1].rings[queue & 1].newViolation();
}

describe('a device that breaks its rings (bad input 31)', () => {
  it.each([
    ['an id beyond the ring', 0, 64, 100, 1, 'used_id'],
    ['an id that fits no buffer of 32 bits', 1, 0xffffffff, 0, 1, 'used_id'],
    ['more bytes than the buffer has', 0, 3, 3000, 1, 'used_length'],
    ['bytes written to a buffer that is only read', 1, 0, 1, 1, 'used_length'],
    ['more entries than there are buffers', 0, 0, 60, 65, 'used_jump'],
    ['an index that goes back', 0, 0, 60, 0xffff, 'used_jump'],
  ])('split: %s', (_, queue, id, length, step, violation) => {
    const made = rig('split');
    for (const { app } of made.runners) app.turn();
    splitUsed(made, queue, id, length, step);
    expect(violationOf(made, queue)).toBe(violation);
    expect(made.counters(queue)).toMatchObject({ packets: queue === 0 ? 0 : 64, broken: 1 });
    // nothing more is taken from it, and told once
    expect(violationOf(made, queue)).toBeUndefined();
    // the other pair goes on
    expect(enqueue(made.memory.arena, made.rings[2], new Uint8Array(60).fill(7))).toBe(true);
    for (const { app } of made.runners) app.turn();
    expect(made.counters(2)).toMatchObject({ packets: 1, broken: 0 });
  });

  it('split: the same id twice', () => {
    const made = rig('split');
    for (const { app } of made.runners) app.turn();
    splitUsed(made, 1, 5, 0);
    splitUsed(made, 1, 5, 0);
    expect(violationOf(made, 1)).toBe('used_id');
    expect(made.counters(1).completed).toBe(1);
  });

  it.each([
    ['an id beyond the ring', 0, 64, 100, 'used_id'],
    ['more bytes than the buffer has', 0, 3, 3000, 'used_length'],
  ])('packed: %s', (_, queue, id, length, violation) => {
    const made = rig('packed');
    for (const { app } of made.runners) app.turn();
    packedUsed(made, queue, id, length);
    expect(violationOf(made, queue)).toBe(violation);
  });

  it('starts over with a clean ring for the next device', () => {
    const made = rig('split');
    for (const { app } of made.runners) app.turn();
    splitUsed(made, 0, 999, 0);
    expect(violationOf(made, 0)).toBe('used_id');
    const restarts = made.restart();
    expect(restarts[0]).toEqual({ index: 0, base: 0, replayed: 64, reset: true });
    expect(enqueue(made.memory.arena, made.rings[0], new Uint8Array(60).fill(7))).toBe(true);
    for (const { app } of made.runners) app.turn();
    expect(made.counters(0)).toMatchObject({ packets: 1, broken: 1 });
  });
});

describe('a device that writes headers that make no sense', () => {
  const frame = new Uint8Array(60).fill(9);
  const header = (numBuffers: number): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(12);
    new DataView(bytes.buffer).setUint16(10, numBuffers, true);
    return bytes;
  };

  it.each([0, 65, 0xffff])('num_buffers %i is dropped, the frames around it are not', (numBuffers) => {
    const made = rig('split');
    const { arena } = made.memory;
    const { app } = made.runners[0];
    enqueue(arena, made.rings[0], frame);
    enqueue(arena, made.rings[0], frame, header(numBuffers), true);
    enqueue(arena, made.rings[0], frame);
    app.turn();
    expect(made.counters(0)).toMatchObject({ packets: 2, dropMerge: 1, broken: 0 });
    expect(made.runners[0].rings[0].queue.inFlight).toBe(64);
  });

  it('a frame that waits for buffers that never come is dropped when the device goes', () => {
    const made = rig('split');
    const { arena } = made.memory;
    enqueue(arena, made.rings[0], frame, header(3), true);
    made.runners[0].app.turn();
    expect(made.counters(0)).toMatchObject({ packets: 0, dropMerge: 0 });
    made.restart();
    expect(made.counters(0)).toMatchObject({ packets: 0, dropMerge: 1 });
    expect(enqueue(arena, made.rings[0], frame)).toBe(true);
    made.runners[0].app.turn();
    expect(made.counters(0).packets).toBe(1);
    expect(made.runners[0].rings[0].queue.inFlight).toBe(64);
  });

  it.each([0, 11, 25])('%i bytes are no frame, merged or not', (bytes) => {
    for (const mrgRxbuf of [false, true]) {
      const made = rig('packed', mrgRxbuf);
      const queue = made.rings[0].queue;
      queue.pop(made.rings[0].chains, 1);
      if (bytes >= 12) made.memory.arena.u8[made.rings[0].chains.offset[0] + 10] = 1;
      queue.pushUsed(made.rings[0].chains.slot[0], bytes);
      made.rings[0].publish();
      made.runners[0].app.turn();
      const { packets, dropShort, dropMerge } = made.counters(0);
      expect([packets, dropShort + dropMerge]).toEqual([0, 1]);
      expect(made.runners[0].rings[0].queue.inFlight).toBe(64);
    }
  });
});
