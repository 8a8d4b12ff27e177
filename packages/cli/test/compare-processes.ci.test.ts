import { ROLES } from '@vhostlab/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lives, Scratch } from './command.ts';
import { expectNamedWhenKilled, startLong } from './long-run.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

describe('compare --placement process, each service killed', () => {
  it.each(ROLES)('ends with status 3 and names %s', async (role) => {
    await expectNamedWhenKilled(scratch, role);
  });
});

describe('compare --placement process', () => {
  it('ends with status 130 on SIGINT and takes its services along', async () => {
    const { running, services } = await startLong(scratch, 'interrupted');
    // as a terminal does: to the whole group
    process.kill(-running.pid, 'SIGINT');
    expect(await running.exited).toBe(130);
    expect(running.stderr().trimEnd().split('\n').at(-1)).toBe('vhostlab: interrupted');
    expect(scratch.json('interrupted', 'run.json')).toMatchObject({
      state: 'incomplete',
      error: 'interrupted',
    });
    expect(services.filter(({ pid }) => lives(pid))).toEqual([]);
    expect(scratch.leftovers()).toEqual([]);
  });

  it('leaves no service behind when it is killed itself', async () => {
    const { running, services } = await startLong(scratch, 'gone');
    process.kill(running.pid, 'SIGKILL');
    await expect(running.exited).rejects.toThrow('SIGKILL');
    await expect.poll(() => services.filter(({ pid }) => lives(pid)), { timeout: 20_000 }).toEqual([]);
    expect(scratch.json('gone', 'run.json').state).toBe('incomplete');
  });
});
