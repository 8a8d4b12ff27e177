import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BurstPlugin } from '@vhostlab/backend-sdk';
import { runPlugin, testFrames } from '@vhostlab/backend-sdk/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conformPlugin, importPlugin, listPlugins, openPlugin, readManifest } from '../src/index.ts';

const EXAMPLES = new URL('../../../examples/plugins', import.meta.url).pathname;
const QUICK = ['validate.*', 'burst.*', 'data.split'];
const scratch = mkdtempSync(join(tmpdir(), 'vhostlab-examples-'));
const plugins = new Map<string, BurstPlugin>();

const example = (name: string): BurstPlugin => plugins.get(name) as BurstPlugin;

beforeAll(async () => {
  for (const listed of listPlugins(EXAMPLES)) {
    if ('problem' in listed) throw new Error(listed.problem);
    plugins.set(listed.manifest.name, (await importPlugin(readManifest(listed.folder))) as BurstPlugin);
  }
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.each([
  ['impair', { lossPercent: 20, delayNs: 500, jitterNs: 300, reorderPercent: 10 }],
  ['rate-limiter', { rateMbps: 200 }],
  ['pcap-recorder', { file: join(scratch, 'conform.pcap') }],
])('the example %s', (name, options) => {
  it('conforms', async () => {
    const open = await openPlugin({ plugin: example(name) });
    const { results } = await conformPlugin(open, { only: QUICK, options });
    expect(results.filter(({ verdict }) => verdict !== 'passed')).toEqual([]);
  });
});

describe('impair', () => {
  it('loses about as many frames as it is told, and says so', () => {
    const { drops, offered, delivered } = runPlugin(example('impair'), {
      frames: 400,
      options: { lossPercent: 25 },
    });
    const lost = drops()['plugin-lost'] as number;
    expect(offered - delivered).toBe(lost);
    expect(lost / offered).toBeGreaterThan(0.18);
    expect(lost / offered).toBeLessThan(0.32);
  });

  it('reorders, and loses nothing by it', () => {
    const frames = testFrames(60);
    const { wire } = runPlugin(example('impair'), { frames: 60, options: { reorderPercent: 20 } });
    expect(wire).not.toEqual(frames);
    expect(wire.toSorted()).toEqual(frames.toSorted());
  });
});

describe('rate-limiter', () => {
  it('lets frames through at its rate', () => {
    const { reachedPs, delivered } = runPlugin(example('rate-limiter'), {
      frames: 50,
      lengths: [1514],
      gapPs: 1000,
      guests: 2,
      options: { guests: 2, rateMbps: 1000, burstBytes: 1538 },
    });
    expect(delivered).toBe(50);
    // 49 frames of 1538 bytes on the wire at 8 ns per byte, from 100 us on
    expect(reachedPs).toBeGreaterThan(100e6 + 49 * 1538 * 8000);
    expect(reachedPs).toBeLessThan(100e6 + 52 * 1538 * 8000);
  });

  it('drops what would wait too long', () => {
    const { drops, delivered } = runPlugin(example('rate-limiter'), {
      frames: 50,
      lengths: [1514],
      gapPs: 1000,
      guests: 2,
      options: { guests: 2, rateMbps: 1000, burstBytes: 1538, queueNs: 100_000 },
    });
    expect(delivered).toBe(9);
    expect(drops()).toEqual({ 'plugin-rate_exceeded': 41 });
  });
});

describe('pcap-recorder', () => {
  it('writes every frame with its moment', () => {
    const file = join(scratch, 'frames.pcap');
    const { wire } = runPlugin(example('pcap-recorder'), {
      frames: 5,
      guests: 2,
      options: { guests: 2, file },
    });
    expect(wire).toEqual([]);
    const bytes = readFileSync(file);
    expect(bytes.readUInt32LE(0)).toBe(0xa1b23c4d);
    const recorded: string[] = [];
    for (let at = 24; at < bytes.length; ) {
      const length = bytes.readUInt32LE(at + 8);
      expect(bytes.readUInt32LE(at)).toBe(0);
      expect(bytes.readUInt32LE(at + 4)).toBeGreaterThanOrEqual(100_000);
      recorded.push(bytes.subarray(at + 16, at + 16 + length).toString('hex'));
      at += 16 + length;
    }
    expect(recorded).toEqual(testFrames(5));
  });
});
