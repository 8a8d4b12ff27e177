import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createGrpcTransport, lifecycleClient } from '@vhostlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { lives, run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
let rig: LabRig;
beforeEach(() => {
  scratch = new Scratch();
  rig = new LabRig(scratch);
});
afterEach(() => scratch.remove());

describe('lab up', () => {
  it('brings processes up; other commands see them, reconcile them and end them', async () => {
    const file = rig.file('one', 'process');
    const labs = ['--labs', scratch.file('labs')];
    const dry = await rig.run('up', file, '--dry-run');
    expect(dry.stdout.split('\n').slice(0, 2)).toEqual([
      'start nic0 (nic, process)',
      'start switch0 (switch, process)',
    ]);
    expect(readdirSync(scratch.path)).not.toContain('labs');

    const embedded = await run(scratch, 'compare', '--lab', file, '--placement', 'embedded', '--json');
    const up = await run(scratch, 'lab', 'up', file, '--wait', ...labs);
    expect(up.stdout).toMatch(/^lab x is up, ready after \d+ ms\nlab x: complete\n/);
    const state = await rig.inspect();
    expect(state.event_log_sha256).toBe(JSON.parse(embedded.stdout).event_log_sha256);
    expect(state.runs.map(({ delivered }) => delivered)).toEqual([60]);
    expect(state.nodes.map(({ neighbours }) => neighbours)).toEqual([
      ['backend'],
      ['guest', 'switch', 'nic'],
      ['backend'],
      ['backend'],
    ]);
    const pids = state.nodes.map(({ pid }) => pid as number);
    expect(new Set([...pids, state.supervisor]).size).toBe(5);
    expect(pids.every(lives)).toBe(true);

    // nobody else may connect, and a call without the token is refused
    const socket = state.nodes[0].address.slice('unix:'.length);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
    expect(statSync(scratch.file('labs', 'x', 'token')).mode & 0o777).toBe(0o600);
    const stranger = createGrpcTransport(state.nodes[0].address);
    await expect(lifecycleClient('guest', stranger).describe()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    stranger.close();

    expect((await rig.run('up', rig.file('two', 'embedded'))).stderr).toMatch(
      /^vhostlab: lab x is up already from .*one\.lab\.yaml; end it with vhostlab lab down x or give .*two\.lab\.yaml another name\n$/,
    );
    expect((await rig.run('up', file)).stdout).toBe('lab x is up, nothing to do\n');
    rig.file('one', '{default: process, nodes: {switch0: embedded}}');
    expect((await rig.run('up', file, '--wait', '--var', 'packets=70')).stdout).toContain(
      'stop switch0 (switch, process)\nstart switch0 (switch, embedded)\nrun pvp/vhost-user\n',
    );
    const mixed = await rig.inspect();
    expect(mixed.nodes.map(({ pid }) => pid)).toEqual([pids[0], pids[1], mixed.supervisor, pids[3]]);
    expect(mixed.runs[0].delivered).toBe(70);

    const told = await rig.run(
      'exec',
      'x',
      'nic0',
      '--',
      process.execPath,
      '-e',
      'console.log(process.env.VHOSTLAB_NODE, process.env.VHOSTLAB_PID)',
    );
    expect(told.stdout).toBe(`nic0 ${pids[3]}\n`);
    expect((await rig.run('graph', 'x')).stdout).toContain('n_nic0["nic0<br/>nic, ready"]');
    expect((await rig.run('inspect')).stdout).toMatch(/^x +complete +4 +/m);

    // where the time of the run went: measured, in words and as a picture
    expect(mixed.measured?.runs.map(({ run }) => run)).toEqual(['pvp/vhost-user']);
    expect((await rig.run('inspect', 'x')).stdout).toMatch(
      /^measured on [\s\S]*^waited, ms +for backend[\s\S]*^λ = /m,
    );
    const page = scratch.file('x.html');
    expect((await rig.run('graph', 'x', '--page', page)).stdout).toBe(`${page} shows lab x\n`);
    expect(readFileSync(page, 'utf8')).toMatch(/<title>lab x · vhostlab<\/title>[\s\S]*Who waited for whom/);
    expect((await rig.run('graph', file, '--page', scratch.file('no', 'x.html'))).stderr).toMatch(
      /^vhostlab: --page: .* cannot be written \(ENOENT\); name a file in a folder that is there\n$/,
    );

    const down = await rig.run('down', 'x');
    expect([down.status, down.stdout]).toEqual([
      0,
      expect.stringMatching(/ended nic \(process\)\n[\s\S]*lab x is down\n$/),
    ]);
    expect([...pids, state.supervisor].filter(lives)).toEqual([]);
    expect(scratch.leftovers()).toEqual([]);
    expect((await rig.run('down', 'x', '--cleanup')).stdout).toBe('lab x is down already\n');
    expect(readdirSync(scratch.file('labs'))).toEqual([]);
  });
});

describe('lab', () => {
  it('refuses a faulty file, an unknown lab and a name that is no file name in one sentence', async () => {
    const file = rig.file('bad', '{nodes: {nic1: process}}');
    for (const command of ['validate', 'up', 'graph']) {
      const { status, stderr } = await rig.run(command, file);
      expect([status, stderr]).toEqual([
        2,
        `vhostlab: ${file}:9:21: placement.nodes.nic1: there is no node of that name; there are guest0, backend0, switch0, nic0, station\n`,
      ]);
    }
    expect((await rig.run('inspect', 'none')).stderr).toMatch(/^vhostlab: there is no lab none below /);
    expect((await rig.run('down', '../x')).stderr).toContain('cannot be brought up');
    expect((await rig.run('validate', rig.file('one', 'embedded'), '--var', 'n=1')).stderr).toBe(
      'vhostlab: --var: the lab file declares no variable "n"; there are packets\n',
    );
    const good = await rig.run('validate', join(import.meta.dirname, '../../../examples/pvp.lab.yaml'));
    expect(good.stdout).toMatch(/ is lab pvp: 4 nodes, 4 links, runs pvp\/vhost-net, /);
  });

  it('makes certificates once', async () => {
    const io = fakeIo();
    const folder = scratch.file('certs');
    expect(await main(['lab', 'certs', folder], io)).toBe(0);
    expect(io.stdout()).toContain(`${folder}/nic/tls.key\n`);
    expect(await main(['lab', 'certs', folder], io)).toBe(2);
  });
});
