import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabState } from '@vhostlab/lab';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Network, PeerProcess } from '../../../tools/peers/index.ts';

const BIN = join(import.meta.dirname, '../bin/vhostlab.mjs');

/** The lab, a host of the back end and one of the nic: each pair joined by a veth of its own. */
let folder: string;
let hosts: { lab: Network; backend: Network; nic: Network };
let services: { backend: PeerProcess; nic: PeerProcess };

async function joinHosts(
  a: Network,
  b: Network,
  name: string,
  [here, there]: [string, string],
): Promise<void> {
  await a.ip(`link add ${name} type veth peer name ${name} netns ${b.ofPid}`);
  await a.ip(`addr add ${here}/30 dev ${name}`);
  await b.ip(`addr add ${there}/30 dev ${name}`);
  for (const host of [a, b]) await host.ip(`link set ${name} up`);
}

async function vhostlab(...args: string[]): Promise<string> {
  const shell = ['-c', `cd ${folder} && exec "$0" "$@"`, process.execPath, BIN, ...args];
  return (await hosts.lab.run('sh', shell)).output;
}

async function serve(role: 'backend' | 'nic', port: number): Promise<PeerProcess> {
  const secrets = ['--tls', join(folder, 'certs', role), '--token-file', join(folder, 'certs/token')];
  const service = await PeerProcess.start({
    name: role,
    program: process.execPath,
    args: [BIN, 'serve', role, '--listen', `0.0.0.0:${port}`, ...secrets],
    network: hosts[role],
  });
  await service.waitFor(/listens on/);
  return service;
}

async function inspect(): Promise<LabState> {
  return JSON.parse(await vhostlab('lab', 'inspect', 'three', '-f', 'json')) as LabState;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
  hosts = { lab: await Network.create(), backend: await Network.create(), nic: await Network.create() };
  await joinHosts(hosts.lab, hosts.backend, 'lab-be', ['192.0.2.1', '192.0.2.2']);
  await joinHosts(hosts.lab, hosts.nic, 'lab-nic', ['192.0.2.5', '192.0.2.6']);
  await joinHosts(hosts.backend, hosts.nic, 'be-nic', ['192.0.2.9', '192.0.2.10']);
  // the back end reaches the nic's address over the cable between them, and back
  await hosts.backend.ip('route add 192.0.2.6 via 192.0.2.10');
  await hosts.nic.ip('route add 192.0.2.2 via 192.0.2.9');
  await vhostlab('lab', 'certs', 'certs');
  services = { backend: await serve('backend', 7002), nic: await serve('nic', 7004) };
  writeFileSync(
    join(folder, 'three.lab.yaml'),
    'schema: 1\nname: three\nsystem: {workloads: [pvp], traffic: {packets: 100000}}\nroles: {backends: [vhost-user]}\ntime: {stallTimeout: 5s}\nplacement: {nodes: {backend0: {endpoint: "192.0.2.2:7002"}, nic0: {endpoint: "192.0.2.6:7004"}}}\n',
  );
  expect(await vhostlab('lab', 'up', 'three.lab.yaml', '--security', 'certs')).toMatch(/^lab three is up/m);
}, 120_000);
afterEach(async () => {
  for (const service of Object.values(services)) await service.stop();
  for (const host of Object.values(hosts)) await host.stop();
  rmSync(folder, { recursive: true });
});

const PAIR =
  /^virtual time has stood still for \d+ s although every service answers: the link from (backend \(192\.0\.2\.2:7002\) to nic \(192\.0\.2\.6:7004\)|nic \(192\.0\.2\.6:7004\) to backend \(192\.0\.2\.2:7002\))/;

it.each<[string, () => Promise<unknown> | unknown, RegExp]>([
  ['the link between two services is cut', () => hosts.backend.ip('link set be-nic down'), PAIR],
  [
    'the link to a service is cut',
    () => hosts.lab.ip('link set lab-nic down'),
    /^service nic \(192\.0\.2\.6:7004\) has not answered for \d+ s/,
  ],
  [
    'a service is stopped',
    () => services.nic.signal('SIGSTOP'),
    /^service nic \(192\.0\.2\.6:7004\) has not answered for \d+ s/,
  ],
  [
    'a service is killed',
    () => services.backend.kill(),
    /^service (backend \(192\.0\.2\.2:7002\) was lost during the run|nic \(192\.0\.2\.6:7004\) failed: its link to backend broke)/,
  ],
])('over veths, %s: the run ends by the name of the part', async (_, fault, says) => {
  await fault();
  await expect.poll(async () => (await inspect()).phase, { timeout: 60_000, interval: 500 }).toBe('failed');
  const { error, supervisor } = await inspect();
  expect(error).toMatch(says);
  await expect
    .poll(() => hosts.lab.run('sh', ['-c', `kill -0 ${supervisor} || echo gone`]), { timeout: 10_000 })
    .toMatchObject({
      output: expect.stringContaining('gone'),
    });
});
