import { burstBackend, remoteBurst } from '@vhostlab/backend-sdk';
import { runPlugin } from '@vhostlab/backend-sdk/test-kit';
import { PluginFault } from '@vhostlab/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { type Launched, launch } from '../src/index.ts';
import { joined } from './support/joined.ts';

const PROGRAM = new URL('./support/hostile-process.ts', import.meta.url).pathname;
/** How long the host waits for one call here. */
const TIMEOUT_MS = 1500;

let launched: Launched | undefined;

afterEach(async () => {
  await launched?.close();
  launched = undefined;
});

/** Runs a plugin whose `call` has `fault`; what the host says. */
async function run(call: string, fault: string): Promise<unknown> {
  const command = ['/usr/bin/env', `HOSTILE=${call}=${fault}`, process.execPath, PROGRAM];
  launched = await launch({ folder: '/', name: 'hostile', depth: 'burst', command });
  const { name, summary, version, optionsSchema: options } = joined();
  const plugin = burstBackend(
    remoteBurst({ name, summary, version, options }, launched.address, { timeoutMs: TIMEOUT_MS }),
  );
  try {
    return runPlugin(plugin, { frames: 4, gapPs: 5_000_000 });
  } catch (error) {
    return error;
  }
}

const CALLS = [
  'Handshake',
  'ValidateConfig',
  'Create',
  'Start',
  'Exchange',
  'GetStatistics',
  'Stop',
  'Destroy',
];

describe('a burst plugin that', () => {
  it('is good carries its frames', async () => {
    expect(await run('Nothing', 'good')).toMatchObject({ offered: 8, delivered: 8 });
  });

  it('writes more than a pipe holds in every burst carries its frames, and its last words are kept', async () => {
    expect(await run('Exchange', 'talk')).toMatchObject({ offered: 8, delivered: 8 });
    expect(launched?.words()).toMatch(/^x{3999}\n$/);
  });

  it.each(CALLS)('is killed in %s', async (call) => {
    const error = (await run(call, 'crash')) as PluginFault;
    expect(error).toBeInstanceOf(PluginFault);
    expect(error.message).toContain(`failed in ${call}: `);
  });

  it.each(['Handshake', 'Exchange'])('never answers %s', async (call) => {
    const error = (await run(call, 'never')) as PluginFault;
    expect(error).toBeInstanceOf(PluginFault);
    expect(error.message).toContain(`failed in ${call}: `);
  });

  it.each(['Create'])('throws in %s', async (call) => {
    const error = (await run(call, 'throw')) as PluginFault;
    expect(error.message).toContain(`failed in ${call}: on purpose`);
  });

  it.each([
    ['answers every burst twice', 'Exchange', 'twice', 'sequence is 1; the burst was 2'],
    ['ends its stream', 'Exchange', 'end', 'the plugin ended the stream'],
    ['answers with 80 MiB', 'Exchange', 'huge', 'failed in Exchange: '],
    ['agrees to another version', 'Handshake', 'version', 'protocol version 9'],
  ])('%s', async (_, call, fault, says) => {
    const error = (await run(call, fault)) as PluginFault;
    expect(error).toBeInstanceOf(PluginFault);
    expect(error.message).toContain(says);
  });
});
