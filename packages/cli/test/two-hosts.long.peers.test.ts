import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabState } from '@vhostlab/lab';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Network, PeerProcess } from '../../../tools/peers/index.ts';

const BIN = join(import.meta.dirname, '../bin/vhostlab.mjs');

let folder: string;
let here: Network;
let there: Network;
const running: PeerProcess[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
  here = await Network.create();
  there = await Network.create();
  await here.ip(`link add wire type veth peer name wire netns ${there.ofPid}`);
  await here.ip('addr add 192.0.2.1/24 dev wire');
  await there.ip('addr add 192.0.2.2/24 dev wire');
  for (const network of [here, there]) await network.ip('link set wire up');
});
afterEach(async () => {
  for (const process of running.splice(0)) await process.stop();
  await here.stop();
  await there.stop();
  rmSync(folder, { recursive: true });
});

async function vhostlab(network: Network, ...args: string[]): Promise<string> {
  const { output } = await network.run('sh', [
    '-c',
    `cd ${folder} && exec "$0" "$@"`,
    process.execPath,
    BIN,
    ...args,
  ]);
  return output;
}

/** A service on the other host. */
async function serve(role: string, port: number, ...more: string[]): Promise<PeerProcess> {
  const service = await PeerProcess.start({
    name: role,
    program: process.execPath,
    args: [BIN, 'serve', role, '--listen', `192.0.2.2:${port}`, ...more],
    network: there,
  });
  running.push(service);
  return service;
}

function secrets(role: string): string[] {
  return ['--tls', join(folder, 'certs', role), '--token-file', join(folder, 'certs/token')];
}

function labFile(packets: number): string {
  const file = join(folder, 'two.lab.yaml');
  writeFileSync(
    file,
    `schema: 1\nname: two\nsystem: {workloads: [pvp], traffic: {packets: ${packets}}}\nroles: {backends: [vhost-user]}\ntime: {stallTimeout: 60s}\nplacement: {default: process, nodes: {guest0: embedded, nic0: {endpoint: "192.0.2.2:7004"}, switch0: {endpoint: "192.0.2.2:7003"}}}\n`,
  );
  return file;
}

async function inspect(): Promise<LabState> {
  return JSON.parse(await vhostlab(here, 'lab', 'inspect', 'two', '-f', 'json')) as LabState;
}

describe('a lab on two hosts', () => {
  it('refuses a listener without certificates, goes on after a cut, and gives the log of an embedded run', async () => {
    expect(await vhostlab(here, 'lab', 'certs', 'certs')).toContain('certs/nic/tls.key');
    const open = await serve('nic', 7009);
    expect(await open.exit).toEqual({ code: 2, signal: null });
    expect(open.output()).toContain('is reached from other machines, which needs certificates');

    const services = [
      await serve('nic', 7004, ...secrets('nic')),
      await serve('switch', 7003, ...secrets('switch')),
    ];
    for (const service of services) await service.waitFor(/listens on/);
    const file = labFile(3000);
    // the certificates of another lab, and none at all
    await vhostlab(here, 'lab', 'certs', 'others');
    for (const stranger of [['--security', 'others'], []]) {
      expect(await vhostlab(here, 'lab', 'up', file, ...stranger)).toMatch(
        /service (nic|switch) does not answer at/,
      );
    }

    expect(await vhostlab(here, 'lab', 'up', file, '--security', 'certs')).toMatch(/^lab two is up/m);
    await here.ip('link set wire down');
    await expect
      .poll(async () => (await inspect()).nodes.find(({ kind }) => kind === 'nic')?.state, {
        timeout: 30_000,
        interval: 300,
      })
      .toBe('stalled');
    await here.ip('link set wire up');
    await expect
      .poll(async () => (await inspect()).phase, { timeout: 120_000, interval: 500 })
      .toBe('complete');
    const state = await inspect();
    const alone = JSON.parse(
      (await vhostlab(here, 'compare', '--lab', file, '--placement', 'embedded', '--json'))
        .split('\n')
        .find((line) => line.startsWith('{')) ?? '',
    );
    expect(state.event_log_sha256).toBe(alone.event_log_sha256);
    expect(state.runs[0].delivered).toBe(alone.results[0].frames.delivered);
    const down = await vhostlab(here, 'lab', 'down', 'two');
    expect(down).toContain('left nic (endpoint 192.0.2.2:7004)');
    for (const service of services) expect(service.output()).not.toContain('vhostlab: ');
  });
});
