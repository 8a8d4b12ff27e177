import { writeFileSync } from 'node:fs';
import type { LabEvent, LabState } from '@vhostlab/lab';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { lives, run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

function labFile(name: string, placement: string, packets = 60): string {
  const file = scratch.file(`${name}.lab.yaml`);
  writeFileSync(
    file,
    `schema: 1\nname: x\nvars: {packets: ${packets}}\nsystem:\n  workloads: [pvp]\n  traffic:\n    packets: \${packets}\nroles: {backends: [vhost-user]}\nplacement: ${placement}\n`,
  );
  return file;
}

/** A command on labs in this process; those that stay are started in one of their own. */
async function lab(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const io = fakeIo();
  const [command, ...rest] = args;
  const labs = command === 'validate' ? [] : ['--labs', scratch.file('labs')];
  const status = await main(['lab', command, ...labs, ...rest], io);
  return { status, stdout: io.stdout(), stderr: io.stderr() };
}

async function inspect(): Promise<LabState> {
  return JSON.parse((await lab('inspect', 'x', '-f', 'json')).stdout) as LabState;
}

describe('a lab of processes', () => {
  it.each(['guest', 'backend', 'switch', 'nic'])(
    'ends with the name of the service that is killed: %s',
    async (role) => {
      const file = labFile('one', 'process', 100_000);
      await run(scratch, 'lab', 'up', file, '--labs', scratch.file('labs'));
      const state = await inspect();
      const pids = state.nodes.map(({ pid }) => pid as number);
      const victim = state.nodes.find(({ service }) => service === role)?.pid as number;
      process.kill(victim, 'SIGKILL');
      await expect.poll(async () => (await inspect()).phase, { timeout: 10_000 }).toBe('failed');
      expect((await inspect()).error).toBe(
        `service ${role} (process ${victim}) was ended by SIGKILL; the run is incomplete`,
      );
      await expect.poll(() => [...pids, state.supervisor].filter(lives), { timeout: 5_000 }).toEqual([]);
      const events = (await lab('events', 'x', '-f', 'json')).stdout.trim().split('\n');
      const last = events.map((line) => JSON.parse(line) as LabEvent).at(-1);
      expect([last?.kind, last?.what]).toEqual(['lab', 'failed']);
      expect((await lab('exec', 'x', 'nic0', '--', 'true')).stderr).toMatch(
        /^vhostlab: lab x is not up \(service /,
      );
      expect(scratch.leftovers()).toEqual([]);
    },
  );

  it.each(['guest', 'nic'])(
    'says which service is stopped, goes on with it, and gives it up: %s',
    async (role) => {
      const file = labFile('one', 'process\ntime: {stallTimeout: 6s}', 100_000);
      await run(scratch, 'lab', 'up', file, '--labs', scratch.file('labs'));
      const victim = (await inspect()).nodes.find(({ service }) => service === role)?.pid as number;
      const stateNow = async () => (await inspect()).nodes.find(({ service }) => service === role)?.state;
      process.kill(victim, 'SIGSTOP');
      await expect.poll(stateNow, { timeout: 20_000 }).toBe('stalled');
      process.kill(victim, 'SIGCONT');
      await expect.poll(stateNow, { timeout: 20_000 }).toBe('ready');
      process.kill(victim, 'SIGSTOP');
      await expect.poll(async () => (await inspect()).phase, { timeout: 30_000 }).toBe('failed');
      expect((await inspect()).error).toMatch(
        new RegExp(
          `^service ${role} \\(process ${victim}\\) has not answered for \\d+ s; the run is incomplete$`,
        ),
      );
      await expect.poll(() => lives(victim), { timeout: 5_000 }).toBe(false);
      expect(scratch.leftovers()).toEqual([]);
    },
  );

  it('ends with its process, whatever way that ends', async () => {
    await run(scratch, 'lab', 'up', labFile('one', 'process', 100_000), '--labs', scratch.file('labs'));
    const state = await inspect();
    process.kill(state.supervisor, 'SIGKILL');
    const pids = state.nodes.map(({ pid }) => pid as number);
    await expect.poll(() => pids.filter(lives), { timeout: 10_000 }).toEqual([]);
    expect((await inspect()).error).toContain(`the supervisor (process ${state.supervisor}) was killed`);
  });
});
