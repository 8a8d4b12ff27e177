import { ROLES } from '@vhostlab/lab';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Scratch } from './command.ts';
import { expectNamedWhenKilled } from './long-run.ts';

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
