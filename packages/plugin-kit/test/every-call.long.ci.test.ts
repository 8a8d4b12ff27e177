import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { burstBackend, remoteBurst } from '@vhostlab/backend-sdk';
import { runPlugin } from '@vhostlab/backend-sdk/test-kit';
import { PluginFault } from '@vhostlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Launched, launch, PluginLab } from '../src/index.ts';
import { joined } from './support/joined.ts';

const PROGRAM = new URL('./support/hostile-front.ts', import.meta.url).pathname;
/** How long the host waits for one call here. */
const TIMEOUT_MS = 1500;

const CALLS = {
  burst: ['Handshake', 'ValidateConfig', 'Create', 'Start', 'Exchange', 'GetStatistics', 'Stop', 'Destroy'],
  device: [
    'Handshake',
    'Describe',
    'GetCapabilities',
    'Create',
    'Start',
    'Prepare',
    'Connect',
    'Run',
    'Collect',
    'ReadLog',
  ],
} as const;
/** Calls with a stream of answers: one of them more is no fault of the transport. */
const STREAMS: readonly string[] = ['Exchange', 'Run', 'ReadLog'];

describe.each(['burst', 'device'] as const)('a %s plugin that', (depth) => {
  let folder: string;
  let launched: Launched | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vhostlab-hostile-'));
  });
  afterAll(async () => {
    await launched?.close();
    rmSync(folder, { recursive: true });
  });

  /** Lets a host carry frames over the plugin, whose `call` has `fault`: what it delivered, or the error. */
  async function run(call: string, fault: string): Promise<{ delivered: number } | Error> {
    writeFileSync(join(folder, 'fault'), `${call}=${fault}`);
    launched ??= await launch({
      folder: '/',
      name: 'hostile',
      depth: 'burst',
      command: [
        '/usr/bin/env',
        `HOSTILE_DEPTH=${depth}`,
        `HOSTILE_FOLDER=${folder}`,
        process.execPath,
        PROGRAM,
      ],
    });
    const { address } = launched;
    try {
      if (depth === 'burst') {
        const { name, summary, version, optionsSchema: options } = joined();
        const limit = { timeoutMs: TIMEOUT_MS };
        const source = remoteBurst({ name, summary, version, options }, address, limit);
        return runPlugin(burstBackend(source), { frames: 4, gapPs: 5_000_000 });
      }
      const lab = new PluginLab(
        { name: 'echo-device', attachesAs: 'vhost-user', address },
        { timeoutMs: TIMEOUT_MS, silenceMs: 2 * TIMEOUT_MS },
      );
      try {
        return await lab.run({ workload: 'tx', options: { packets: 4 } });
      } finally {
        lab.close();
      }
    } catch (error) {
      return error as Error;
    } finally {
      if (fault === 'crash') {
        await launched.close();
        launched = undefined;
      }
    }
  }

  it('is good carries frames', async () => {
    expect(await run('Nothing', 'good')).toMatchObject({ offered: expect.any(Number) });
  });

  it.each(CALLS[depth])('answers %s late is waited for', async (call) => {
    expect(await run(call, 'late')).not.toBeInstanceOf(Error);
  });

  const FAULTS = CALLS[depth].flatMap((call) =>
    ['crash', 'never', 'gigabyte', 'garbage', 'twice']
      .filter((fault) => fault !== 'twice' || !STREAMS.includes(call))
      .map((fault) => [fault, call] as const),
  );

  it.each(FAULTS)('has %s in %s: the host says which call', async (fault, call) => {
    const before = process.memoryUsage().rss;
    const error = await run(call, fault);
    expect(error).toBeInstanceOf(PluginFault);
    expect((error as Error).message).toContain(`failed in ${call}: `);
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 1024 * 1024);
    // and nothing of it stays behind: the next run is a good one
    if (fault !== 'crash') expect(await run('Nothing', 'good')).not.toBeInstanceOf(Error);
  });
});
