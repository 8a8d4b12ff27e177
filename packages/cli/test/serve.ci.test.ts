import { ROLES } from '@vhostlab/lab';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Scratch } from './command.ts';
import { expectDrained } from './served.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

describe('serve', () => {
  it.concurrent.each(ROLES)('%s answers until SIGTERM, then drains and ends with status 0', async (role) => {
    await expectDrained(scratch, role);
  });
});
