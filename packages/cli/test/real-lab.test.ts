import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples/ping-vhostlab.lab.yaml');

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const io = fakeIo();
  const status = await main(args, io);
  return { status, stdout: io.stdout(), stderr: io.stderr() };
}

it('a lab of real programs is validated and drawn without them', async () => {
  const validated = await run('lab', 'validate', EXAMPLE);
  expect(validated.stdout).toBe(
    `${EXAMPLE} is lab ping-vhostlab: 4 nodes, 2 links, runs vm0: ping -c 5 -i 0.2 10.0.0.2\n`,
  );
  const { stdout } = await run('lab', 'graph', EXAMPLE);
  expect(stdout).toContain('n_vm0["vm0<br/>qemu"]');
  expect(stdout).toContain('n_vm1 ---|"vhost0 - port1"| n_sw0');
});

it('what is not for real programs is refused with the command that is', async () => {
  expect(await run('compare', '--lab', EXAMPLE)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(
      'is a lab of real programs (time: {clock: real}); bring it up with vhostlab lab up',
    ),
  });
  expect(await run('lab', 'export', 'kubernetes', EXAMPLE, '--out', scratch.file('out'))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('export compose alone makes containers, of our back ends'),
  });
  expect(existsSync(scratch.file('out'))).toBe(false);
});

it('a machine that lacks something is told before anything starts', async () => {
  const file = scratch.file('x.lab.yaml');
  writeFileSync(
    file,
    'schema: 1\nname: x\nsystem:\n  nodes:\n    vm: {kind: qemu, kernel: nowhere, cpus: [4095]}\n    sw: {kind: backend}\n  links: [[vm:vhost0, sw:port0]]\ntime: {clock: real}\n',
  );
  const labs = ['--labs', scratch.file('labs')];
  const dry = await run('lab', 'up', file, '--dry-run', ...labs);
  const lines = dry.stdout.split('\n');
  expect(lines.slice(0, 2)).toEqual(['start sw (backend)', 'start vm (qemu)']);
  expect(lines).toContainEqual(
    `admission: refused: vm asks for kernel: ${scratch.file('nowhere')}, which cannot be read: name another file`,
  );
  expect(lines).toContainEqual(
    expect.stringMatching(/^admission: refused: vm asks for CPU 4095, and this machine lets us run on /),
  );
  expect([dry.status, dry.stderr]).toEqual([
    2,
    expect.stringMatching(/^vhostlab: vm asks for .* more; lab up --dry-run lists them\)\n$/),
  ]);
  const up = await run('lab', 'up', file, ...labs);
  expect([up.status, up.stderr]).toEqual([2, dry.stderr]);
  expect(existsSync(scratch.file('labs'))).toBe(false);
});
