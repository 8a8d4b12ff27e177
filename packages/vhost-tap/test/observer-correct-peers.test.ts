import { Arena } from '@vhostlab/memory';
import type { FeatureName } from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import { createRingObserver, type Direction, type RingViolation } from '../src/index.ts';
import {
  ARENA_BYTES,
  generator,
  LookingPublisher,
  memoryOf,
  ringOf,
  Traffic,
  type TrafficOptions,
} from './kit/traffic.ts';

const BASE: readonly FeatureName[] = ['VERSION_1', 'MRG_RXBUF'];

/** Formats, sizes, orders and features; each with both directions. */
function allTraffic(): TrafficOptions[] {
  const all: TrafficOptions[] = [];
  let seed = 1;
  for (const format of ['split', 'packed'] as const) {
    for (const size of format === 'split' ? [4, 256] : [5, 256]) {
      for (const direction of ['rx', 'tx'] as const satisfies Direction[]) {
        for (const [inOrder, shuffled] of [
          [false, false],
          [false, true],
          [true, false],
        ]) {
          for (const chains of [false, true]) {
            const features: FeatureName[] = [...BASE];
            if (format === 'packed') features.push('RING_PACKED');
            if (inOrder) features.push('IN_ORDER');
            if (seed % 2 === 0) features.push('EVENT_IDX');
            if (chains) features.push('INDIRECT_DESC');
            const burst = size < 64 ? 3 : 32;
            all.push({ format, size, direction, features, chains, shuffled, burst, seed: seed++ });
          }
        }
      }
    }
  }
  return all;
}

function nameOf({ format, size, direction, features, shuffled, chains }: TrafficOptions): string {
  const order = features.includes('IN_ORDER') ? 'IN_ORDER' : shuffled ? 'in any order' : 'in order';
  return `${format} ${size} ${direction} ${order}${chains ? ' chains' : ''}${features.includes('EVENT_IDX') ? ' events' : ''}`;
}

/** Runs the traffic and looks at it now and then; answers what was said. */
function observe(options: TrafficOptions, steps: number, share: number) {
  const buffer = new ArrayBuffer(ARENA_BYTES);
  const arena = new Arena(buffer);
  const publisher = new LookingPublisher(arena, share, options.seed);
  const traffic = new Traffic(buffer, options, publisher);
  const observer = createRingObserver(arena, memoryOf(arena), ringOf(options));
  const random = generator(options.seed ^ 0xabcd);
  const found: RingViolation[] = [];
  let now = 1;
  const look = () => {
    // a buffer takes its time: see trust.ts
    found.push(...observer.sample(now).violations);
  };
  publisher.look = look;
  look();
  for (let i = 0; i < steps; i++) {
    traffic.step();
    now += 2000;
    if (random() < share) look();
  }
  return { found, observer, traffic };
}

describe('nothing is said about correct peers', () => {
  it.each(allTraffic().map((each) => [nameOf(each), each] as const))('%s', (_name, options) => {
    for (const share of [0.5, 0.02]) {
      const { found, observer, traffic } = observe(options, 1500, share);
      expect(found.slice(0, 3)).toEqual([]);
      expect(traffic.device.violation).toBe(0);
      expect(traffic.done).toBeGreaterThan(80);
      expect(observer.totals.samples).toBeGreaterThan(30);
    }
  });
});
