import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CABLES, CabledLab, type CableName } from './support/cabled-lab.ts';
import { embeddedHash } from './support/embedded-hash.ts';

const PACKETS = 400;
/** Longer than a cut that is mended, in proportion to the 60 s of a lab and a delay of 30 s. */
const STALL = '4s';
const DELAY_MS = 2_000;

let hash: string;
let folder: string;
let lab: CabledLab;
beforeAll(async () => {
  hash = await embeddedHash(PACKETS);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(async () => {
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What an error must name: the service at the end of a link of the lab, or one end of a link between services at least. */
function partsOf(cable: CableName): RegExp {
  const [from, to] = cable.split('-');
  return from === 'lab'
    ? new RegExp(`service ${to} \\(unix:`)
    : new RegExp(`${from}.*${to}|${to}.*${from}`, 's');
}

/** Links over which nothing goes once flows are set up: the run needs them no more. */
const QUIET: readonly CableName[] = ['backend-switch'];

it.each(QUIET)('a run that does not need %s any more goes on without it', async (name) => {
  lab = await CabledLab.open(folder, PACKETS, STALL);
  await lab.upTo(50);
  lab.cables.get(name)?.cut();
  await expect.poll(() => lab.supervisor.state.phase, { timeout: 30_000 }).toBe('complete');
  expect(lab.supervisor.state.event_log_sha256).toBe(hash);
});

describe.each(CABLES.filter((name) => !QUIET.includes(name)))('the link %s', (name) => {
  it('cut for good ends the run, by the name of its parts', async () => {
    lab = await CabledLab.open(folder, 100_000, '3s');
    await lab.upTo(50);
    lab.cables.get(name)?.cut();
    const error = await lab.supervisor.ended;
    expect(error?.message).toMatch(partsOf(name));
    expect(error?.message).toMatch(/the run is incomplete$/);
    expect(lab.supervisor.state).toMatchObject({
      phase: 'failed',
      ready: false,
      runs: [{ state: 'failed' }],
    });
  });

  it('that holds everything back for a while loses nothing', async () => {
    lab = await CabledLab.open(folder, PACKETS, STALL);
    await lab.upTo(50);
    const { state } = lab.supervisor;
    const cable = lab.cables.get(name);
    cable?.cut();
    await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    expect(state.phase).toBe('running');
    cable?.mend();
    await expect.poll(() => state.phase, { timeout: 20_000 }).toBe('complete');
    expect(state.event_log_sha256).toBe(hash);
    expect(state.runs[0]).toMatchObject({ delivered: PACKETS, dropped: 0 });
  });
});

it.each(CABLES)('the link %s torn out ends the run at once, by the name of its parts', async (name) => {
  lab = await CabledLab.open(folder, 100_000, '60s');
  await lab.upTo(50);
  lab.cables.get(name)?.tear();
  const error = await lab.supervisor.ended;
  expect(error?.message).toMatch(partsOf(name));
  expect(error?.message).toMatch(/the run is incomplete$/);
});
