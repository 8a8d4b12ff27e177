import type { DescService } from '@bufbuild/protobuf';
import { readHandshakeLine } from '@vhostlab/backend-sdk';
import { backendV1, burstV1, ContractError, createClient, createLocalTransport } from '@vhostlab/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  conformPlugin,
  hostDevicePlugin,
  isPluginFailure,
  type Launched,
  launch,
  openPlugin,
  PluginLab,
} from '../src/index.ts';
import echoDevice from './support/echo-device/index.ts';
import { callsOf, frozenServices } from './support/frozen.ts';
import { joined } from './support/joined.ts';

/*
 * Version 1 of the contract is the first. There is no version before it that a host would have to go on talking to; what
 * can be tested is that peers of the first freeze and of today understand each other, whichever of them is the host, and
 * that versions 0 and 2 are refused by name in both directions.
 */
const PROGRAM = new URL('./support/frozen-process.ts', import.meta.url).pathname;
const frozen = frozenServices();

let launched: Launched | undefined;
afterEach(async () => {
  await launched?.close();
  launched = undefined;
});

async function frozenPlugin(versions: string): Promise<string> {
  const command = ['/usr/bin/env', `FROZEN_VERSIONS=${versions}`, process.execPath, PROGRAM];
  launched = await launch({ folder: '/', name: 'frozen', depth: 'burst', command });
  return launched.address;
}

describe('a plugin of the first freeze', () => {
  it('passes the kit of today, and carries frames in its lab', async () => {
    const plugin = await openPlugin({ endpoint: await frozenPlugin('1') });
    expect(plugin).toMatchObject({ name: 'frozen', depth: 'burst' });
    const { results } = await conformPlugin(plugin);
    const bad = results.filter(isPluginFailure);
    expect(bad.map(({ check, observed }) => [check.id, observed])).toEqual([]);
    const lab = new PluginLab(plugin.device!);
    expect(await lab.run({ options: { packets: 100 } })).toMatchObject({ offered: 100, delivered: 100 });
    lab.close();
  });

  it.each(['0', '2'])('that speaks version %s is refused by its number', async (version) => {
    const address = await frozenPlugin(version);
    await expect(openPlugin({ endpoint: address })).rejects.toThrow(`protocol version ${version}`);
  });
});

type Anything = Record<string, (request: object) => Promise<unknown>>;

/** A client of a frozen service. */
const clientOf = (service: DescService, plugin: Parameters<typeof hostDevicePlugin>[0]) => {
  const hosted = hostDevicePlugin(plugin);
  const transport = createLocalTransport(hosted.implementations);
  return { call: createClient(service, transport) as unknown as Anything, transport, hosted };
};

const hello = (protocolVersions: number[]) => ({
  hello: { protocolVersions, instanceId: 'host-1', name: 'frozen host', clocks: [1] },
});

describe('a host of the first freeze', () => {
  it('runs a burst plugin of today', async () => {
    const { call, transport } = clientOf(frozen.backend, joined());
    const { hello: answer } = (await call.handshake!(hello([1]))) as {
      hello: { protocolVersions: number[] };
    };
    expect(answer.protocolVersions).toEqual([1]);
    const config = { id: 'x', configJson: '{"delayNs":5}', clock: 1, seed: 7n };
    expect(await call.validateConfig!({ config })).toMatchObject({ diagnostics: [] });
    await call.create!({ config });
    await call.start!({ id: 'x' });
    const bursts = createClient(frozen.burst, transport) as unknown as {
      exchange(): { send(request: object): Promise<void>; receive(): Promise<object>; closeSend(): void };
    };
    const stream = bursts.exchange();
    await stream.send({ id: 'x', sequence: 1n, nowPs: 5n, port: 1, frames: [new Uint8Array(60)] });
    expect(await stream.receive()).toMatchObject({
      sequence: 1n,
      outputs: [{ port: 10, source: 0, delayPs: 0n }],
      charges: [{ op: 'switch.parse', count: 1 }],
    });
    stream.closeSend();
    const { statistics } = (await call.getStatistics!({ id: 'x' })) as { statistics: { counters: object[] } };
    expect(statistics.counters).toMatchObject([
      { name: 'frames.in', value: 1n },
      { name: 'frames.out', value: 1n },
    ]);
    await call.stop!({ id: 'x' });
    await call.destroy!({ id: 'x' });
  });

  it('makes an instance of a device plugin of today', async () => {
    const { call, hosted } = clientOf(frozen.backend, echoDevice);
    await call.handshake!(hello([1]));
    const { description } = (await call.describe!({})) as {
      description: { name: string; modules: string[] };
    };
    expect(description.modules).toEqual(['echo-device/core']);
    expect(await call.getCapabilities!({})).toMatchObject({
      capabilities: [
        { name: 'echo-device.rings.packed', support: 2 },
        { name: 'echo-device.rings.split', support: 2 },
      ],
    });
    hosted.close();
  });

  it.each([[[0]], [[2]], [[0, 2]], [[]]])(
    'that speaks %j is refused, and both versions are named',
    async (versions) => {
      for (const plugin of [joined(), echoDevice]) {
        const { call, hosted } = clientOf(frozen.backend, plugin);
        const error = await call.handshake!(hello(versions)).then(
          () => undefined,
          (thrown: ContractError) => thrown,
        );
        expect(error).toBeInstanceOf(ContractError);
        expect(error).toMatchObject({ code: 'FAILED_PRECONDITION' });
        expect(error?.message).toContain(
          `speaks protocol version 1, frozen host speaks ${versions.join(', ') || 'none'}.`,
        );
        hosted.close();
      }
    },
  );

  it('that speaks a newer version besides is answered with version 1', async () => {
    const { call } = clientOf(frozen.backend, joined());
    const { hello: answer } = (await call.handshake!(hello([2, 1, 0]))) as {
      hello: { protocolVersions: number[] };
    };
    expect(answer.protocolVersions).toEqual([1]);
  });
});

describe('the line of a plugin', () => {
  it.each(['0', '2', '10', ''])('with contract version "%s" is refused by its number', (version) => {
    expect(readHandshakeLine(`1|${version}|unix|/tmp/x|grpc`)).toEqual({
      refusal: `it speaks contract version ${version}, this host 1; build it with the SDK of this version`,
    });
    expect(readHandshakeLine(`${version}|1|unix|/tmp/x|grpc`)).toEqual({
      refusal: `it speaks core protocol ${version}, this host 1; build it with the SDK of this version`,
    });
  });
});

it('every call of the freeze is there today', () => {
  const today = [backendV1.BackendService, burstV1.BurstService].map(({ methods }) =>
    methods.map(({ name }) => name),
  );
  const then = [frozen.backend, frozen.burst].map(callsOf);
  for (const [i, names] of then.entries()) expect(today[i]).toEqual(expect.arrayContaining(names));
});
