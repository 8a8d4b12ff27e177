import { createSource, FrameHasher, type ScenarioConfig, type TrafficSpec } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { run, scenario, traffic } from './harness.ts';

/** The hash of one shard of a stream, as its source writes it. */
function hashOf(spec: TrafficSpec, shard = 0, shards = 1): { sha256: string; frames: number } {
  const source = createSource(spec, { shard, shards });
  const hasher = new FrameHasher();
  const bytes = new Uint8Array(70_000);
  while (source.next()) hasher.add(bytes, 0, source.write(bytes, 0));
  return { sha256: hasher.digest(), frames: hasher.frames };
}

const RINGS: ScenarioConfig['ring'][] = ['split', 'packed'];
const GUESTS: ScenarioConfig['guest'][] = ['poll', 'interrupt'];

describe('a guest that transmits', () => {
  for (const ring of RINGS) {
    for (const guest of GUESTS) {
      for (const polls of [true, false]) {
        it(`sends every frame once and unchanged: ${ring}, ${guest}, device ${polls ? 'polls' : 'waits'}`, () => {
          const spec = traffic(3000, { size: 'imix' });
          const outcome = run(scenario({ ring, guest, traffic: spec }), { device: { polls } });
          const device = outcome.device(0);
          const expected = hashOf(spec);
          expect({ sha256: device.sha256, frames: device.frames }).toEqual(expected);
          expect(outcome.sum('frames.offered')).toBe(3000);
          expect(device.packets).toEqual(Array.from({ length: 3000 }, (_, i) => i));
          if (!polls) expect(device.kicks).toBeGreaterThan(0);
        });
      }
    }
  }
});
