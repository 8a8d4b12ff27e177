import { existsSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
