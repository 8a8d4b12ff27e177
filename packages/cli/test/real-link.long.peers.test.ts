import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
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

async function vhostlab(network: Network, name: string, ...args: string[]): Promise<PeerProcess> {
  const process_ = await PeerProcess.start({
    name,
    program: process.execPath,
    args: [BIN, ...args],
    network,
  });
  running.push(process_);
  return process_;
}

/** A back end on one of the hosts, with a link to the other. */
async function backend(
  network: Network,
  name: string,
  link: string,
  ...more: string[]
): Promise<PeerProcess> {
  const socket = join(folder, `${name}.sock`);
  const args = ['--socket-path', socket, '--mode', 'interrupt', '--port', `link:${link}`, '--json', ...more];
  const program = await vhostlab(network, name, 'vhost-user', 'backend', ...args);
  return program;
}

function secrets(certs: string): string[] {
  return ['--tls', join(folder, certs, 'backend'), '--token-file', join(folder, certs, 'token')];
}

/** Link counters that a back end prints at its end. */
async function countersOf(program: PeerProcess): Promise<Record<string, number>> {
  process.kill(program.pid, 'SIGTERM');
  await program.exit;
  const line =
    program
      .output()
      .split('\n')
      .find((text) => text.startsWith('{')) ?? '{}';
  return JSON.parse(line).link[0] as Record<string, number>;
}

it('guests on two hosts exchange every frame over a link with certificates, through a cut of the network', async () => {
  for (const certs of ['certs', 'others']) {
    await (await vhostlab(here, 'certs', 'lab', 'certs', join(folder, certs))).exit;
  }
  const open = await backend(there, 'open', 'listen=192.0.2.2:7011');
  expect(await open.exit).toEqual({ code: 2, signal: null });
  expect(open.output()).toContain('is reached from other machines, which needs certificates');

  const far = await backend(there, 'far', 'listen=192.0.2.2:7010', ...secrets('certs'));
  await far.waitFor(/listens at/);
  const stranger = await backend(here, 'stranger', '192.0.2.2:7010', ...secrets('others'));
  await stranger.waitFor(/link to 192\.0\.2\.2:7010: no connection: .*; tries again/);
  const near = await backend(here, 'near', '192.0.2.2:7010', ...secrets('certs'));
  await near.waitFor(/link to 192\.0\.2\.2:7010: connected/);
  expect(far.output()).not.toMatch(/connected.*connected/s);

  const guest = (name: string, ...args: string[]) =>
    vhostlab(
      here,
      `${name} guest`,
      'vhost-user',
      'frontend',
      '--socket-path',
      join(folder, `${name}.sock`),
      ...args,
    );
  const mirror = await guest('far', '--workload', 'forward');
  await mirror.waitFor(/rings run/);
  const verify = await guest('near', '--workload', 'verify', '--packets', '60000', '--rate', '20kpps');
  await verify.waitFor(/1 s {2}tx/);
  await here.ip('link set wire down');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await here.ip('link set wire up');
  await verify.waitFor(/verified: .*/, { timeoutMs: 60_000 });
  expect(verify.output()).toContain('verified: received 60000, lost 0, duplicated 0, reordered 0');
  expect(near.output()).not.toContain('lost');

  const [sent, had] = [await countersOf(near), await countersOf(far)];
  expect(sent.sent_frames).toBe(60_000);
  expect(had.received_frames).toBe(60_000);
  expect([sent.received_frames, had.sent_frames]).toEqual([60_000, 60_000]);
  for (const counters of [sent, had]) {
    for (const [name, count] of Object.entries(counters))
      if (name.startsWith('drop_')) expect([name, count]).toEqual([name, 0]);
    expect(counters.clock_error_ns).toBeGreaterThan(0);
  }
  expect(near.output()).toMatch(
    /one-way latency (not known: clock error|[\d.]+ us \(median\), clock error) [\d.]+ us/,
  );
});
