import { afterAll, beforeAll, describe, it } from 'vitest';
import { ROLES } from '../src/index.ts';
import { expectHeld, openWatched, type WatchedLab } from './support/stopped.ts';

describe('a stopped service', () => {
  let watched: WatchedLab;
  beforeAll(async () => {
    watched = await openWatched();
  });
  afterAll(() => watched.lab.close());

  it.each(ROLES)('%s holds virtual time everywhere, and the run goes on to the same log', async (role) => {
    await expectHeld(watched, role);
  });
});
