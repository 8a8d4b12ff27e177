import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GrpcServer, type Implementation, serveGrpc } from '@vhostlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { conformPlugin, hostDevicePlugin, openPlugin, PluginLab } from '../src/index.ts';
import echoDevice from './support/echo-device/index.ts';

let folder: string;
let server: GrpcServer;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-endpoint-'));
});
afterEach(async () => {
  await server.close(100);
  rmSync(folder, { recursive: true });
});

async function serve(implementations: readonly Implementation[]) {
  server = await serveGrpc({ listen: `unix:${join(folder, 's')}`, implementations });
  return openPlugin({ endpoint: server.address });
}

describe('a device plugin at an endpoint', () => {
  it('is checked with frames: its cores run there, guest and NIC here', async () => {
    const hosted = hostDevicePlugin(echoDevice);
    const plugin = await serve(hosted.implementations);
    expect(plugin).toMatchObject({ name: 'echo-device', depth: 'device', device: undefined });
    expect(plugin.remote).toEqual({
      name: 'echo-device',
      attachesAs: 'vhost-user',
      address: server.address,
    });
    const only = [
      'handshake.answer',
      'validate.good',
      'data.split',
      'data.packed',
      'data.two-queues',
      'schedule.split',
    ];
    const { results } = await conformPlugin(plugin, { only });
    expect(results.filter(({ verdict }) => verdict !== 'passed').map(({ check }) => check.id)).toEqual([
      'schedule.split',
    ]);

    const run = { workload: 'tx', options: { packets: 60 } } as const;
    const there = new PluginLab(plugin.remote!);
    const here = new PluginLab(echoDevice);
    const [far, near] = [await there.run(run), await here.run(run)];
    expect(far.statistics).toBe(near.statistics);
    there.close();
    here.close();
    hosted.close();
    await plugin.close();
  });

  it('that runs no cores is checked by its calls', async () => {
    const [lifecycle] = hostDevicePlugin(echoDevice).implementations;
    const plugin = await serve([lifecycle as Implementation]);
    expect(plugin.remote).toBeUndefined();
    const { results } = await conformPlugin(plugin, { only: ['validate.good', 'data.split'] });
    expect(results.map(({ verdict, observed }) => [verdict, observed])).toEqual([
      ['passed', 'no error'],
      ['not-claimed', 'it runs no cores at its address; conform its package to see its data'],
    ]);
    await plugin.close();
  });
});
