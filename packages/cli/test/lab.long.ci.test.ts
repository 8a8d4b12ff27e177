import type { LabEvent } from '@vhostlab/lab';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lives, run, Scratch } from './command.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
let rig: LabRig;
beforeEach(() => {
  scratch = new Scratch();
  rig = new LabRig(scratch);
});
afterEach(() => scratch.remove());

describe('a lab of processes', () => {
  it.each(['guest', 'backend', 'switch', 'nic'])(
    'ends with the name of the service that is killed: %s',
    async (role) => {
      const file = rig.file('one', 'process', 100_000);
      await run(scratch, 'lab', 'up', file, '--labs', scratch.file('labs'));
      const state = await rig.inspect();
      const pids = state.nodes.map(({ pid }) => pid as number);
      const victim = state.nodes.find(({ service }) => service === role)?.pid as number;
      process.kill(victim, 'SIGKILL');
      await expect.poll(async () => (await rig.inspect()).phase, { timeout: 10_000 }).toBe('failed');
      expect((await rig.inspect()).error).toBe(
        `service ${role} (process ${victim}) was ended by SIGKILL; the run is incomplete`,
      );
      await expect.poll(() => [...pids, state.supervisor].filter(lives), { timeout: 5_000 }).toEqual([]);
      const events = (await rig.run('events', 'x', '-f', 'json')).stdout.trim().split('\n');
      const last = events.map((line) => JSON.parse(line) as LabEvent).at(-1);
      expect([last?.kind, last?.what]).toEqual(['lab', 'failed']);
      expect((await rig.run('exec', 'x', 'nic0', '--', 'true')).stderr).toMatch(
        /^vhostlab: lab x is not up \(service /,
      );
      expect(scratch.leftovers()).toEqual([]);
    },
  );

  it.each(['guest', 'backend', 'switch', 'nic'])(
    'says which service is stopped, goes on with it, and gives it up: %s',
    async (role) => {
      const file = rig.file('one', 'process\ntime: {stallTimeout: 6s}', 100_000);
      await run(scratch, 'lab', 'up', file, '--labs', scratch.file('labs'));
      const victim = (await rig.inspect()).nodes.find(({ service }) => service === role)?.pid as number;
      const stateNow = async () => (await rig.inspect()).nodes.find(({ service }) => service === role)?.state;
      process.kill(victim, 'SIGSTOP');
      await expect.poll(stateNow, { timeout: 20_000 }).toBe('stalled');
      process.kill(victim, 'SIGCONT');
      await expect.poll(stateNow, { timeout: 20_000 }).toBe('ready');
      process.kill(victim, 'SIGSTOP');
      await expect.poll(async () => (await rig.inspect()).phase, { timeout: 30_000 }).toBe('failed');
      expect((await rig.inspect()).error).toMatch(
        new RegExp(
          `^service ${role} \\(process ${victim}\\) has not answered for \\d+ s; the run is incomplete$`,
        ),
      );
      await expect.poll(() => lives(victim), { timeout: 5_000 }).toBe(false);
      expect(scratch.leftovers()).toEqual([]);
    },
  );

  it('is one of two that come up with its name at the same moment', async () => {
    const file = rig.file('one', 'embedded', 100_000);
    const other = rig.file('two', 'embedded', 100_000);
    const labs = ['--labs', scratch.file('labs')];
    const ups = await Promise.all([file, other].map((each) => run(scratch, 'lab', 'up', each, ...labs)));
    expect(ups.map(({ status }) => status).sort()).toEqual([0, 2]);
    const [won, lost] = ups[0].status === 0 ? ups : [ups[1], ups[0]];
    expect(won.stdout).toMatch(/^lab x is up, ready after/);
    expect(lost.stderr).toMatch(
      /^vhostlab: lab x is up already .*; end it with vhostlab lab down x or give .* another name\n$/,
    );
    expect((await rig.inspect()).file).toBe(ups[0].status === 0 ? file : other);
    await rig.run('down', 'x');
    expect(scratch.leftovers()).toEqual([]);
  });

  it('ends with its process, whatever way that ends', async () => {
    await run(scratch, 'lab', 'up', rig.file('one', 'process', 100_000), '--labs', scratch.file('labs'));
    const state = await rig.inspect();
    process.kill(state.supervisor, 'SIGKILL');
    const pids = state.nodes.map(({ pid }) => pid as number);
    await expect.poll(() => pids.filter(lives), { timeout: 10_000 }).toEqual([]);
    expect((await rig.inspect()).error).toContain(`the supervisor (process ${state.supervisor}) was killed`);
  });
});
