import { eventFd } from '@vhostlab/host';
import { UsedBatch } from '@vhostlab/virtqueue';
import { describe, expect, it } from 'vitest';
import { FrameRing } from '../../src/link/frame-ring.ts';
import { LINK_RING_BYTES } from '../../src/link/link-messages.ts';
import { LinkPort } from '../../src/ports/link-port.ts';
import { QueuePair } from '../../src/worker/queue-pair.ts';
import { LOW, PathRig } from './path-rig.ts';

const FRAMES = 20;
const used = new UsedBatch(64);

describe.each(['split', 'packed'] as const)('a link behind a guest with few buffers, %s ring', (format) => {
  it('keeps what the guest has no buffers for, and drops nothing', () => {
    const rig = new PathRig({ format, features: [] });
    const wake = eventFd();
    const incoming = new FrameRing(LINK_RING_BYTES);
    const out = new FrameRing(LINK_RING_BYTES);
    const shared = { out: out.buffer, in: incoming.buffer, wakeNumber: wake.number };
    const pair = new QueuePair(
      new LinkPort(shared, new Float64Array(32), rig.arena),
      false,
      rig.batch,
      rig.arena,
      0,
    );
    pair.receive = rig.receive;
    const from = rig.placeOf(LOW + 0x2_0000);
    for (let i = 0; i < FRAMES; i++) {
      rig.arena.u8.fill(i, from, from + 60);
      expect(incoming.put(rig.arena, from, 60, 0)).toBe(true);
    }
    incoming.publish();

    const seen: number[] = [];
    for (let turn = 0; seen.length < FRAMES; turn++) {
      const buffers = 1 + (turn % 3);
      for (let i = 0; i < buffers; i++) rig.rx.addOne(LOW + 0x1_0000 + i * 0x200, 0x200, true, i);
      rig.rx.publish();
      expect(pair.turn()).toBe(Math.min(buffers, FRAMES - seen.length));
      rig.rx.popUsed(used, 64);
      for (let i = 0; i < used.count; i++)
        seen.push(rig.arena.u8[rig.placeOf(LOW + 0x1_0000 + used.token[i] * 0x200) + rig.header]);
    }
    expect(seen).toEqual(Array.from({ length: FRAMES }, (_, i) => i));
    expect(rig.drops(0)).toEqual({});
    expect(rig.counter(0, 'frames')).toBe(FRAMES);
    wake.close();
  });
});
