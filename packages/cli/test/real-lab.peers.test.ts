import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ensureHugePages } from '../../../tools/peers/index.ts';
import { lives, type Running, run, Scratch, start } from './command.ts';
import { inspect, PATIENCE, processesOf, socketsBelow } from './real-lab-rig.ts';

const root = join(import.meta.dirname, '../../..');
const GOOD = '5 packets transmitted, 5 packets received, 0% packet loss';

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  symlinkSync(join(root, 'examples'), scratch.file('examples'));
});
afterEach(async () => {
  for (const name of ['ping-ovs', 'ping-vhostlab']) await run(scratch, 'lab', 'down', name);
  scratch.remove();
});

it('Linux guests ping through a real Open vSwitch; a guest that dies ends the lab by name', async () => {
  expect(ensureHugePages(160 * 1024 * 1024)).toBe(true);
  // the example, and something that goes on for long
  const text = readFileSync(join(root, 'examples/ping-ovs.lab.yaml'), 'utf8');
  writeFileSync(scratch.file('ovs.lab.yaml'), text.replace('10.0.0.2]', '10.0.0.2, sleep 600]'));
  const up = start(scratch, 'lab', 'up', 'ovs.lab.yaml', '--wait');
  await vi.waitFor(
    async () => expect((await inspect(scratch, 'ping-ovs')).runs[0]?.state).toBe('complete'),
    PATIENCE,
  );
  const state = await inspect(scratch, 'ping-ovs');
  expect(state).toMatchObject({ clock: 'real', phase: 'running', ready: true });
  expect(state.runs[0]).toMatchObject({ result: GOOD, packets: 5, delivered: 5 });
  expect(state.nodes.map(({ name, state: how, neighbours }) => [name, how, neighbours])).toEqual([
    ['vm0', 'ready', ['ovs0:port0']],
    ['vm1', 'ready', ['ovs0:port1']],
    ['ovs0', 'ready', ['vm0:vhost0', 'vm1:vhost0']],
  ]);
  const folder = state.control.slice('unix:'.length).replace(/\/control\.sock$/, '');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const sockets = socketsBelow(folder);
  expect(sockets.map(([name]) => name)).toEqual(
    expect.arrayContaining(['ovs0/port0', 'ovs0/port1', 'vm0/qmp.sock']),
  );
  expect(sockets.filter(([, mode]) => mode !== 0o600)).toEqual([]);

  const ports = await run(
    scratch,
    'lab',
    'exec',
    'ping-ovs',
    'ovs0',
    '--',
    'ovs-ofctl',
    'dump-ports',
    'br0',
    '2',
  );
  expect(Number(/rx pkts=(\d+)/.exec(ports.stdout)?.[1])).toBeGreaterThanOrEqual(5);
  const guest = await run(scratch, 'lab', 'exec', 'ping-ovs', 'vm1', '--', 'ip', 'addr', 'show', 'eth0');
  expect([guest.status, guest.stdout]).toEqual([0, expect.stringContaining('inet 10.0.0.2/24')]);
  const events = await run(scratch, 'lab', 'events', 'ping-ovs');
  expect(events.stdout).toContain(`run vm0: ping -c 5 -i 0.2 10.0.0.2: complete (${GOOD})`);
  expect((await run(scratch, 'lab', 'up', 'ovs.lab.yaml')).stdout).toBe(
    'lab ping-ovs is up, nothing to do\n',
  );

  const processes = processesOf(state);
  expect(processes.length).toBeGreaterThanOrEqual(5);
  process.kill(state.nodes[1].pid as number, 'SIGKILL');
  expect(await up.exited).toBe(3);
  expect(up.stderr()).toMatch(/node vm1 \(process \d+\) was ended by SIGKILL; the lab is incomplete/);
  await vi.waitFor(() => expect(processes.filter(lives)).toEqual([]), PATIENCE);
  expect((await inspect(scratch, 'ping-ovs')).nodes.map(({ state: how }) => how)).toEqual([
    'ended',
    'lost',
    'ended',
  ]);
  expect(scratch.leftovers()).toEqual([]);
}, 180_000);

it('Linux guests ping through our own switch, as docs/testbed.md has it; down leaves nothing', async () => {
  const page = readFileSync(join(root, 'docs/testbed.md'), 'utf8');
  const [, block] = /^```sh peers\n(.*?)^```/ms.exec(page) as RegExpExecArray;
  const commands = block.trim().split('\n');
  const said = new Map<string, string>();
  let processes: number[] = [];
  let pings: Running | undefined;
  for (const line of commands) {
    if (line.includes(' swap ')) {
      pings = start(scratch, ...'lab exec ping-vhostlab vm0 -- ping -c 40 -i 0.2 10.0.0.2'.split(' '));
    }
    if (line.includes(' down ')) processes = processesOf(await inspect(scratch, 'ping-vhostlab'));
    const { status, stdout, stderr } = await run(scratch, ...line.split(' ').slice(1));
    expect([line, status, stderr]).toEqual([line, 0, expect.not.stringContaining('vhostlab: ')]);
    said.set(
      line
        .split(' ')
        .slice(1, line.includes('--dry-run') ? undefined : 3)
        .join(' '),
      stdout,
    );
  }
  expect(said.get('lab up')).toContain(`complete  ${GOOD}`);
  expect(said.get('lab swap')).toMatch(/^sw1 in place of sw0, rings at rest for \d+ ms$/m);
  expect(said.get('lab exec')).toContain('3 packets transmitted, 3 packets received');
  // pings went on across the swap: the last one was answered
  expect([await pings?.exited, pings?.stdout()]).toEqual([0, expect.stringContaining('seq=39 ')]);
  expect(said.get('lab down')).toBe(
    'ended vm0 (qemu)\nended vm1 (qemu)\nended sw1 (backend)\nlab ping-vhostlab is down\n',
  );
  expect(processes.length).toBeGreaterThanOrEqual(4);
  expect(processes.filter(lives)).toEqual([]);
  expect(scratch.leftovers()).toEqual([]);
}, 180_000);
