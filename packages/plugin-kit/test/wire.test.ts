import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commonV1, createGrpcTransport, fromBinary, lifecycleClient } from '@vhostlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PluginBench } from '../src/conform/bench.ts';
import {
  conformPlugin,
  isPluginFailure,
  type OpenPlugin,
  openPlugin,
  readRecording,
  recordTransport,
  replayRecording,
  replayText,
  serveProxy,
  WireWriter,
} from '../src/index.ts';
import { reflector } from './support/forgetful.ts';
import { joined } from './support/joined.ts';
import { tampered } from './support/tampered.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-wire-'));
  file = join(folder, 'wire.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Lets `use` talk to the plugin with a recorder in between; answers how the recording ended. */
async function record(plugin: OpenPlugin, use: (proxied: OpenPlugin) => Promise<unknown>, maxBytes = 1e8) {
  const writer = new WireWriter(file, plugin, maxBytes);
  const transport = recordTransport(plugin.connect(), writer);
  const server = await serveProxy(`unix:${join(folder, 's')}`, transport);
  try {
    await use({ ...plugin, isFresh: false, connect: () => createGrpcTransport(server.address) });
  } finally {
    await server.close(100);
    transport.close();
  }
  return writer.close();
}

async function replay(plugin: OpenPlugin, options?: Parameters<typeof replayRecording>[2]) {
  const transport = plugin.connect();
  try {
    return await replayRecording(readRecording(file), transport, options);
  } finally {
    transport.close();
  }
}

/** A plugin that keeps its frames a little longer than the good one. */
const slower = () =>
  joined({
    create: () => ({
      burst: ({ port, frames }, answer) => {
        answer.charge('switch.parse', Math.max(1, frames.length), 0);
        for (const source of frames.keys())
          answer.send(port === 1 ? 10 : 1, source, source === 3 ? { delayPs: 500 } : {});
      },
    }),
  });

/** Most of what the kit says to a plugin, what is refused included. */
const KIT = (proxied: OpenPlugin) =>
  conformPlugin(proxied, {
    only: ['handshake.*', 'validate.*', 'create.*', 'burst.answer', 'burst.unknown*', 'burst.sequence*'],
  });

describe('a recording', () => {
  it('is the whole conversation, refusals and cancellations too, and the same plugin answers it the same', async () => {
    let bad: unknown[] = [];
    const ending = await record(await openPlugin({ plugin: joined() }), async (proxied) => {
      bad = (await KIT(proxied)).results.filter(isPluginFailure);
    });
    expect(bad).toEqual([]);
    expect(ending).toMatchObject({ end: 'complete', not_recorded: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const recording = readRecording(file);
    expect(recording.ending).toEqual(ending);
    expect(recording.header).toMatchObject({ plugin: 'joined', depth: 'burst' });
    const statuses = new Set(recording.events.map(({ status }) => status));
    for (const status of ['OK', 'FAILED_PRECONDITION', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS']) {
      expect(statuses).toContain(status);
    }
    const moments = recording.events.map(({ at_us }) => at_us);
    expect(moments).toEqual(moments.toSorted((x, y) => x - y));

    const report = await replay(await openPlugin({ plugin: joined() }));
    expect(report).toMatchObject({ calls: ending.calls, differing: 0, cut: undefined });
    expect(report.sent).toBe(recording.events.filter((event) => event.do === 'send').length);
    expect(report.answers).toBeGreaterThan(30);
  });

  it('shows which call and field of another plugin differs', async () => {
    await record(await openPlugin({ plugin: joined() }), KIT);
    const report = await replay(await openPlugin({ plugin: slower() }));
    expect(report.first).toMatchObject({
      method: 'vhostlab.backend.v1.BurstService/Exchange',
      field: 'outputs[3].delay_ps',
      was: '"0"',
      is: '"500"',
    });
    expect(replayText(report)).toMatch(
      /first: call \d+, vhostlab\.backend\.v1\.BurstService\/Exchange, answer \d+: outputs\[3\]\.delay_ps is "500", was "0"/,
    );
    const other = await replay(await openPlugin({ plugin: reflector('joined', true) }));
    expect(other.first?.method).toBe('vhostlab.backend.v1.BackendService/GetCapabilities');
    expect(
      (await replay(await openPlugin({ plugin: slower() }), { ignored: ['Output.delay_ps'] })).differing,
    ).toBe(0);
  });

  it('of a device plugin holds its calls', async () => {
    await record(await openPlugin({ plugin: reflector('reflector', true) }), (proxied) =>
      conformPlugin(proxied, { only: ['handshake.answer', 'validate.*', 'create.*'] }),
    );
    expect((await replay(await openPlugin({ plugin: reflector('reflector', true) }))).differing).toBe(0);
  });

  it('without room says so, has no holes, and the replay says it, too', async () => {
    const ending = await record(await openPlugin({ plugin: joined() }), KIT, 20_000);
    expect(ending.end).toBe('full');
    expect(ending.not_recorded).toBeGreaterThan(10);
    expect(statSync(file).size).toBeLessThanOrEqual(20_000);
    expect(readRecording(file).events).toHaveLength(ending.events);
    const report = await replay(await openPlugin({ plugin: joined() }));
    expect(report).toMatchObject({
      differing: 0,
      cut: `the recording was full: ${ending.not_recorded} events are not in it`,
    });
  });

  it('whose recorder was killed ends with its last whole line', async () => {
    await record(await openPlugin({ plugin: joined() }), KIT);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.length >> 1));
    const report = await replay(await openPlugin({ plugin: joined() }));
    expect(report).toMatchObject({ differing: 0, cut: 'the recording has no end: who recorded was ended' });
  });

  it('holds bytes that are no message, and the replay finds them', async () => {
    const description = fromBinary(
      commonV1.DescriptionSchema,
      // field 99, which no version of the contract has
      Uint8Array.of(0x0a, 1, 0x78, 0x98, 0x06, 5),
    );
    const strange = tampered(({ describe: good }) =>
      good === undefined ? {} : { describe: async () => ({ description }) },
    );
    await record(strange, async (proxied) => {
      const { client } = await new PluginBench(proxied, undefined).shaken();
      await client.describe();
    });
    const described = readRecording(file).events.filter(({ bytes }) => bytes !== undefined);
    expect(described).toHaveLength(1);
    expect((await replay(strange)).differing).toBe(0);
    expect((await replay(await openPlugin({ plugin: joined() }))).first).toMatchObject({
      field: 'description.name',
    });
  });

  it('of an answer that never comes ends the replay after its limit', async () => {
    await record(await openPlugin({ plugin: joined() }), async (proxied) => {
      const { client } = await new PluginBench(proxied, undefined).shaken();
      await client.describe();
      await client.getCapabilities([]);
    });
    const silent = tampered(({ describe: good }) =>
      good === undefined ? {} : { describe: () => new Promise(() => undefined) },
    );
    const report = await replay(silent, { timeoutMs: 50 });
    expect(report.first).toMatchObject({
      method: 'vhostlab.backend.v1.BackendService/Describe',
      was: 'an answer',
      is: 'no answer within 0.05 s',
    });
    expect(report.answers).toBe(1);
  });

  it('survives a host that gives a stream up, and passes errors on with their text', async () => {
    const plugin = await openPlugin({ plugin: joined() });
    await record(plugin, async (proxied) => {
      const bench = new PluginBench(proxied, undefined);
      const talk = await bench.bursts();
      await talk.ask([new Uint8Array(60)]);
      talk.close();
      const { client, transport } = bench.connect();
      await expect(lifecycleClient('backend', transport).start('nobody')).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining('nobody'),
      });
      await client.describe();
    });
    expect((await replay(await openPlugin({ plugin: joined() }))).differing).toBe(0);
  });
});

describe('a file', () => {
  const HEAD = '{"vhostlab_wire":1,"plugin":"x","depth":"burst","started_at":""}\n';
  it.each([
    ['', 'line 1 is not JSON'],
    ['{}\n', 'line 1: vhostlab_wire'],
    [`${HEAD}nothing\n`, 'line 2 is not JSON'],
    [`${HEAD}{"at_us":1,"call":1,"do":"sing"}\n`, 'line 2: do'],
    [`${HEAD}{"at_us":1,"call":1,"do":"open","method":"a/b"}\n`, 'line 2: method: there is no a/b'],
    [`${HEAD}{"at_us":1,"call":1,"do":"send"}\n`, 'line 2: call 1 was not opened'],
    [`${HEAD}{"at_us":1,"call":1,"do":"end","more":1}\n`, 'line 2: it'],
  ])('%j is refused', (text, says) => {
    writeFileSync(file, text);
    expect(() => readRecording(file)).toThrow(says);
  });

  it('is never overwritten, and one that is not there is named', () => {
    writeFileSync(file, 'mine');
    expect(() => new WireWriter(file, { name: 'x', depth: 'burst' }, 1e6)).toThrow(
      `${file} exists; name a new file`,
    );
    expect(() => readRecording(join(folder, 'none'))).toThrow('it cannot be read (ENOENT)');
  });
});
