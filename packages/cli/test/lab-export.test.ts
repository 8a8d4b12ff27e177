import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { main } from '../src/main.ts';
import { Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
let rig: LabRig;
beforeEach(() => {
  scratch = new Scratch();
  rig = new LabRig(scratch);
});
afterEach(() => scratch.remove());

async function exported(what: string, file: string, ...more: string[]) {
  const io = fakeIo();
  const status = await main(['lab', 'export', what, file, '--out', scratch.file('out'), ...more], io);
  return { status, said: io.stderr() };
}

it.each([
  ['compose', 'process', ['--hugepages', '512'], '--hugepages: for kubernetes only'],
  [
    'kubernetes',
    'process',
    ['--hugepages', '511'],
    '--hugepages: 511 MiB is no multiple of the page size 2M',
  ],
  [
    'kubernetes',
    'process',
    ['--hugepages', '-1'],
    '--hugepages: "-1" is no number of MiB; write a whole number such as 512',
  ],
  ['kubernetes', 'process', ['--sweep', 'packets'], '--sweep: "packets" is not name=value,value'],
  [
    'kubernetes',
    'process',
    ['--sweep', 'packets=1,,2'],
    '--sweep: packets has no value, or an empty one; write packets=10,20,30',
  ],
  [
    'compose',
    'process',
    ['--sweep', 'n=1'],
    '--var: the lab file declares no variable "n"; there are packets',
  ],
  [
    'compose',
    '{nodes: {nic0: {endpoint: "192.0.2.1:7004"}}}',
    ['--sweep', 'packets=1,2'],
    '--sweep: nic0 is run by others at 192.0.2.1:7004, for one lab at a time; place it as process or container',
  ],
])(
  'export %s of a lab with placement %s and %j is refused in one sentence',
  async (what, placement, more, says) => {
    expect(await exported(what, rig.file('one', placement), ...more)).toEqual({
      status: 2,
      said: `vhostlab: ${says}\n`,
    });
    expect(existsSync(scratch.file('out'))).toBe(false);
  },
);

it('export compose makes a folder of results for each lab of a sweep', async () => {
  const { status } = await exported('compose', rig.file('one', 'process'), '--sweep', 'packets=10,20');
  expect(status).toBe(0);
  expect(readdirSync(scratch.file('out', 'labs'))).toEqual(['1-packets-10', '2-packets-20']);
  expect(readdirSync(scratch.file('out', 'sweep'))).toEqual(['lab.yaml']);
});

describe('a lab on the real clock', () => {
  const real = (backend: string): string => {
    const file = scratch.file('real.lab.yaml');
    writeFileSync(
      file,
      `schema: 1\nname: real\nsystem:\n  nodes:\n    vm0: {kind: qemu, hugepages: true}\n    sw0: {kind: backend, ${backend}}\n  links: [[vm0:vhost0, sw0:port0]]\ntime: {clock: real}\n`,
    );
    return file;
  };

  it('has its back ends exported, with a volume of sockets, and says what stays outside', async () => {
    const io = fakeIo();
    const out = scratch.file('out');
    expect(
      await main(['lab', 'export', 'compose', real('port: switch, mode: interrupt'), '--out', out], io),
    ).toBe(0);
    expect(io.stdout()).toContain('vm0 run where you run them, at the sockets of the volume');
    const { services, volumes } = parse(readFileSync(join(out, 'docker-compose.yml'), 'utf8'));
    expect(Object.keys(services)).toEqual(['sw0', 'measure-sw0-0']);
    expect(services.sw0.command.join(' ')).toBe(
      'vhost-user backend --socket-path /run/vhost-user/sw0-0.sock --port switch --mode interrupt --queues 1',
    );
    expect(services['measure-sw0-0'].command.join(' ')).toContain('--workload tx');
    expect(services['measure-sw0-0'].command).toContain('--hugepages');
    expect(Object.keys(volumes)).toEqual(['sockets']);
  });

  it.each([
    [
      'compose',
      'port: "tap:vm0"',
      [],
      /^vhostlab: sw0 has tap:vm0, which is outside of a container; give it/,
    ],
    ['kubernetes', 'port: echo', [], /real\.lab\.yaml is a lab of real programs/],
    ['compose', 'port: echo', ['--sweep', 'a=1'], /real\.lab\.yaml is a lab of real programs/],
  ])('is refused in one sentence: export %s with %s %j', async (what, backend, more, says) => {
    const { status, said } = await exported(what, real(backend), ...more);
    expect([status, said]).toEqual([2, expect.stringMatching(says)]);
  });
});
