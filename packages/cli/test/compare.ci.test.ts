import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scratch, start } from './command.ts';
import { expectInterrupted } from './published.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

describe('compare in a process of its own', () => {
  it('shows how far it is, ends with status 130 on SIGINT, and says that the run is incomplete', async () => {
    const line = [
      'compare',
      '--packets',
      '100000000',
      '--backends',
      'vhost-user',
      '--samples',
      '0',
      '--out',
      'long',
    ];
    const running = start(scratch, ...line);
    await expect
      .poll(() => running.stderr(), { timeout: 40_000 })
      .toMatch(
        /^pvp over vhost-user, 100000000 packets: [1-9]\d* delivered after \d+\.\d+ ms of virtual time$/m,
      );
    expect(scratch.json('long', 'run.json').state).toBe('incomplete');
    // as a terminal does: to the whole group
    process.kill(-running.pid, 'SIGINT');
    expect(await running.exited).toBe(130);
    expect(running.stdout()).toBe('');
    expect(running.stderr()).toMatch(/^vhostlab: interrupted$/m);
    expectInterrupted(scratch, 'long');
  });
});
