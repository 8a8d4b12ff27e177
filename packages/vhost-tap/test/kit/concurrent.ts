import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Arena } from '@vhostlab/memory';
import type { FeatureName } from '@vhostlab/virtio-net';
import {
  createRingObserver,
  type Direction,
  type FrameSink,
  type ObserverTotals,
  type RingViolation,
} from '../../src/index.ts';
import { ARENA_BYTES, memoryOf, ringOf, type TrafficOptions } from './traffic.ts';

/** However late the looking thread gets a processor. */
const MIN_SAMPLES = 20;

export interface Concurrent {
  readonly found: readonly RingViolation[];
  readonly totals: ObserverTotals;
  /** Buffers that went through the ring. */
  readonly done: number;
  readonly frames: number;
}

/**
 * Driver and device run in a thread of their own as fast as they can, while this one looks at their ring. `everyMs`: time
 * between looks; 0: all the time. Goes on for `durationMs`, and until `least` buffers went through.
 */
export async function observeConcurrently(
  options: TrafficOptions,
  durationMs: number,
  everyMs: number,
  least = 0,
): Promise<Concurrent> {
  const buffer = new SharedArrayBuffer(ARENA_BYTES);
  const stop = new SharedArrayBuffer(8);
  const arena = new Arena(buffer);
  let frames = 0;
  const sink: FrameSink = { frame: () => void frames++ };
  const observer = createRingObserver(arena, memoryOf(arena), ringOf(options), sink);
  const found: RingViolation[] = [];
  const nowNs = () => Number(process.hrtime.bigint());
  observer.sample(nowNs());
  const worker = new Worker(new URL('./traffic-worker.ts', import.meta.url), {
    workerData: { buffer, stop, options },
  });
  await once(worker, 'message');
  const end = nowNs() + durationMs * 1e6;
  const flag = new Int32Array(stop);
  const isOver = (now: number) =>
    now >= end && observer.totals.samples >= MIN_SAMPLES && Atomics.load(flag, 1) >= least;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let now = nowNs(); !isOver(now); now = nowNs()) {
    found.push(...observer.sample(now).violations);
    if (everyMs > 0) Atomics.wait(pause, 0, 0, everyMs);
  }
  Atomics.store(flag, 0, 1);
  const [{ done }] = (await once(worker, 'message')) as [{ done: number }];
  await worker.terminate();
  return { found, totals: observer.totals, done, frames };
}

const BASE: readonly FeatureName[] = ['VERSION_1', 'MRG_RXBUF'];

/** Formats × directions × orders, with chains and indirect tables. */
export function concurrentTraffic(): TrafficOptions[] {
  const all: TrafficOptions[] = [];
  let seed = 100;
  for (const format of ['split', 'packed'] as const) {
    for (const direction of ['rx', 'tx'] as const satisfies Direction[]) {
      for (const order of ['IN_ORDER', 'in order', 'in any order'] as const) {
        const features: FeatureName[] = [...BASE, 'INDIRECT_DESC'];
        if (format === 'packed') features.push('RING_PACKED');
        if (order === 'IN_ORDER') features.push('IN_ORDER');
        if (direction === 'tx') features.push('EVENT_IDX');
        const shuffled = order === 'in any order';
        all.push({ format, size: 256, direction, features, chains: true, shuffled, burst: 32, seed: seed++ });
      }
    }
  }
  return all;
}

export function trafficName({ format, direction, features, shuffled, size, chains }: TrafficOptions): string {
  const order = features.includes('IN_ORDER') ? 'IN_ORDER' : shuffled ? 'in any order' : 'in order';
  return `${format} ${size} ${direction} ${order}${chains ? ' chains' : ''}`;
}
