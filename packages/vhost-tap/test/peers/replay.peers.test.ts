import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Cleanup, qemuIpxe, vhostlabBackend, virtioUser } from '../../../../tools/peers/index.ts';
import { DEFAULT_TAP_OPTIONS, startTap } from '../../src/index.ts';
import { MutantBackend } from '../kit/mutant-backend.ts';
import type { MutantOptions } from '../kit/mutant-options.ts';
import { Recordings } from '../kit/recording.ts';

const recordings = new Recordings();
afterAll(() => recordings.remove());
let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

/** Frames that iPXE sends before the recording ends: more than a fault needs to show itself. */
const FRAMES = 8;

/** QEMU with iPXE, a tap and a mutant: answers the tap's folder. */
async function recordIpxe(mutant: MutantOptions): Promise<string> {
  const out = recordings.newFolder();
  const [connect, listen] = [recordings.path('backend'), recordings.path('tap')];
  let frames = 0;
  const backend = new MutantBackend(connect, { ...mutant, onFrame: () => void frames++ });
  const tap = startTap({ ...DEFAULT_TAP_OPTIONS, listen, connect, out, notifications: true });
  const qemu = await cleanup.add(qemuIpxe({ socketPath: listen }));
  await vi.waitFor(() => expect(frames).toBeGreaterThanOrEqual(FRAMES), { timeout: 60_000, interval: 50 });
  await qemu.stop();
  await tap.stop();
  await backend.stop();
  return out;
}

describe.each([
  ['length', 'used-length', 1, 20],
  ['num-buffers', 'rx-num-buffers', 0, 3],
] as const)('a recording of QEMU against a mutant with the fault "%s"', (fault, code, queue, repeat) => {
  it('shows it on the mutant each time, and never on the fixed one', async () => {
    const run = await recordIpxe({ fault });
    expect(existsSync(`${run}/memory.bin`)).toBe(true);
    expect(readFileSync(`${run}/live.log`, 'utf8')).toContain('SET_VRING_KICK');

    const mutant = await recordings.play(run, { fault }, { repeat });
    expect(mutant.differences).toEqual([]);
    expect(mutant.violations).toMatchObject([{ code, queue, party: 'device', runs: repeat }]);
    expect(mutant).toMatchObject({ runs: repeat, faultyRuns: repeat });

    const fixed = await recordings.play(run, {}, { repeat });
    expect({ violations: fixed.violations, differences: fixed.differences }).toEqual({
      violations: [],
      differences: [],
    });
    expect(fixed).toMatchObject({ runs: repeat, faultyRuns: 0 });
    expect(fixed.played.used).toBeGreaterThanOrEqual(repeat * FRAMES);
  });
});

/** DPDK is faster than a tap looks, so most of its buffers are not in the record. */
it.each([
  ['split', false],
  ['packed', true],
] as const)(
  'a recording of DPDK, %s, with gaps: nothing is wrong with the back end that it is played to',
  async (ring, inOrder) => {
    const out = recordings.newFolder();
    const [socketPath, listen] = [recordings.path('backend'), recordings.path('tap')];
    await cleanup.add(vhostlabBackend({ socketPath, port: 'echo', extra: ['--mode', 'interrupt'] }));
    const tap = startTap({ ...DEFAULT_TAP_OPTIONS, listen, connect: socketPath, out, notifications: true });
    const packed = ring === 'packed';
    const front = await cleanup.add(virtioUser({ socketPath: listen, mode: 'flowgen', packed, inOrder }));
    const enough = () => expect(tap.summary().frames).toBeGreaterThan(500);
    await vi.waitFor(enough, { timeout: 60_000, interval: 20 });
    await front.stop();
    const recorded = await tap.stop();
    expect(recorded.violations).toEqual([]);
    const { violations, differences, played } = await recordings.play(out, null, {
      socketPath,
      receiveTimeoutMs: 300,
    });
    expect({ violations, differences }).toEqual({ violations: [], differences: [] });
    // each frame is used twice: when it is sent, and when it is back
    expect(played.used).toBeGreaterThan(500);
  },
);
