import { drainEvent } from '@vhostlab/host';
import { DecodedHeaders, decodeInto } from '@vhostlab/packet';
import { transportChecksumOk } from '@vhostlab/virtio-net';
import { readSequence } from '@vhostlab/workload';
import { afterEach, describe, expect, it } from 'vitest';
import { dequeue, enqueue } from './fake-device.ts';
import { LocalRig, type RigOptions } from './rig.ts';

const LINE = { lineBps: 25e9, seed: 1 };
const rigs: LocalRig[] = [];

function rig(options: RigOptions): LocalRig {
  const made = new LocalRig(options);
  rigs.push(made);
  return made;
}

afterEach(() => {
  for (const made of rigs.splice(0)) made.close();
});

/** A frame of `length` bytes that tells its number. */
function frame(n: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (n * 31 + i) & 0xff);
}

/** The same with its MAC addresses swapped. */
function swapped(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(...bytes.slice(6, 12), ...bytes.slice(0, 6), ...bytes.slice(12));
}

function checksumOk(bytes: Uint8Array): boolean {
  const headers = new DecodedHeaders();
  decodeInto(bytes, 0, bytes.length, headers);
  return transportChecksumOk(bytes, 0, headers);
}

const FORMATS = (['split', 'packed'] as const).flatMap((ring) => [
  { ring, inOrder: false, eventIdx: true },
  { ring, inOrder: true, eventIdx: false },
]);

describe.each(FORMATS)('$ring, in order $inOrder, event index $eventIdx', ({ ring, inOrder, eventIdx }) => {
  const features = { inOrder, eventIdx };

  it('sends every frame once, in order, with valid checksums', () => {
    const traffic = { kind: 'udp', packets: 1000, size: '64', flows: 3, ...LINE } as const;
    const made = rig({ ring, features, workload: { kind: 'tx', traffic } });
    const frames: Uint8Array[] = [];
    made.settle(() => frames.push(...dequeue(made.memory.arena, made.rings[1])));
    expect(frames.map((bytes) => readSequence(bytes, 0, bytes.length))).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    );
    expect(frames.every((bytes) => bytes.length === 60 && checksumOk(bytes))).toBe(true);
    expect(made.runners[0].app.isDone).toBe(true);
    expect(made.counters(1)).toMatchObject({ packets: 1000, bytes: 60_000, completed: 1000 });
  });

  it.each([false, true])('forwards what comes, merged from several buffers: %s', (mrgRxbuf) => {
    const made = rig({ ring, features: { ...features, mrgRxbuf }, workload: { kind: 'forward' } });
    const { arena } = made.memory;
    const sent = Array.from({ length: 500 }, (_, n) => frame(n, mrgRxbuf ? 60 + ((n * 97) % 8000) : 60 + n));
    const waiting = [...sent];
    const back: Uint8Array[] = [];
    made.settle(() => {
      while (waiting.length > 0 && enqueue(arena, made.rings[0], waiting[0])) waiting.shift();
      back.push(...dequeue(arena, made.rings[1]));
    });
    expect(back).toHaveLength(500);
    expect(back.every((bytes, n) => Buffer.compare(bytes, swapped(sent[n])) === 0)).toBe(true);
    const bytes = sent.reduce((sum, { length }) => sum + length, 0);
    expect(made.counters(0)).toMatchObject({ packets: 500, bytes });
    expect(made.counters(1)).toMatchObject({ packets: 500, bytes, dropForward: 0 });
  });

  it('goes on from the used index with another device, and offers again what was under way', () => {
    const traffic = { kind: 'udp', packets: 300, size: '64', ...LINE } as const;
    const made = rig({ ring, features, workload: { kind: 'tx', traffic } });
    const { arena } = made.memory;
    const { app } = made.runners[0];
    const seen: number[] = [];
    const take = () =>
      seen.push(...dequeue(arena, made.rings[1]).map((bytes) => readSequence(bytes, 0, bytes.length)));
    for (let i = 0; i < 3; i++) {
      app.turn();
      take();
    }
    app.turn();
    const underWay = made.counters(1).packets - seen.length;
    expect(underWay).toBeGreaterThan(0);
    const restarts = made.restart();
    const base = seen.length % (ring === 'split' ? 65536 : 64);
    expect(restarts[1]).toMatchObject({ index: 1, replayed: underWay, reset: false });
    expect(restarts[1].base & 0x7fff).toBe(base);
    expect(restarts[0]).toMatchObject({ index: 0, replayed: 64 });
    expect(drainEvent(made.rings[1].kick)).toBe(true);
    made.settle(take);
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(enqueue(arena, made.rings[0], frame(1, 60))).toBe(true);
    made.settle();
    expect(made.counters(0)).toMatchObject({ packets: 1, replayed: 64 });
  });
});
