import type { HotCases } from '@vhostlab/memory/test-kit';
import { type RingFormat, UsedBatch } from '@vhostlab/virtqueue';
import { createPairRig } from '../pair-rig.ts';

const BURST = 32;
const FRAME_BYTES = 60;
const HEADER_BYTES = 12;
const BASE = ['VERSION_1', 'EVENT_IDX'];

/** One burst of 32 frames per call, from the driver's add to its reclaim. */
function dequeue(format: RingFormat, features: readonly string[]) {
  const { pair, pool, drivers, bufferGpa } = createPairRig(format, features);
  const tx = drivers[1];
  const out = new Uint32Array(64);
  const used = new UsedBatch(64);
  return (call: number) => {
    for (let i = 0; i < BURST; i++) {
      tx.addOne(bufferGpa(1, (call * BURST + i) & 0xff), HEADER_BYTES + FRAME_BYTES, false, i);
    }
    tx.publish();
    const count = pair.dequeue(pool, out, BURST);
    if (count !== BURST) throw new Error(`${count} of ${BURST} frames`);
    pool.freeBulk(out, 0, count);
    pair.publish();
    pair.callIfWanted();
    tx.popUsed(used, 64);
  };
}

function enqueue(format: RingFormat, features: readonly string[], bufferBytes: number) {
  const { pair, pool, drivers, bufferGpa } = createPairRig(format, features);
  const rx = drivers[0];
  const indices = new Uint32Array(64);
  const used = new UsedBatch(256);
  const buffers = Math.ceil((HEADER_BYTES + FRAME_BYTES) / bufferBytes);
  return (call: number) => {
    for (let i = 0; i < BURST * buffers; i++) {
      rx.addOne(bufferGpa(0, (call * BURST * buffers + i) & 0xff), bufferBytes, true, i);
    }
    rx.publish();
    pool.allocBulk(indices, 0, BURST);
    for (let i = 0; i < BURST; i++) pool.length[indices[i]] = FRAME_BYTES;
    pair.enqueue(pool, indices, BURST);
    pair.publish();
    pair.callIfWanted();
    const count = rx.popUsed(used, 256);
    if (count !== BURST * buffers) throw new Error(`${count} of ${BURST * buffers} buffers`);
  };
}

export const hotCases: HotCases = {
  'dequeue split': () => dequeue('split', BASE),
  'dequeue packed in order': () => dequeue('packed', [...BASE, 'RING_PACKED', 'IN_ORDER']),
  'enqueue split': () => enqueue('split', BASE, 2048),
  'enqueue packed in order': () => enqueue('packed', [...BASE, 'RING_PACKED', 'IN_ORDER'], 2048),
  'enqueue split merged': () => enqueue('split', [...BASE, 'MRG_RXBUF'], 32),
};
