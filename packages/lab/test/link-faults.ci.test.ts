import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CabledLab } from './support/cabled-lab.ts';
import { embeddedHash } from './support/embedded-hash.ts';

let folder: string;
let lab: CabledLab | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(async () => {
  await lab?.close();
  lab = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const PACKETS = 400;

describe('a lab between machines', () => {
  it('says between which two services a link is cut, when every service answers', async () => {
    lab = await CabledLab.open(folder, 100_000, '3s');
    await lab.upTo(50);
    lab.cables.get('backend-nic')?.cut();
    const error = await lab.supervisor.ended;
    expect(error?.message).toMatch(
      /^virtual time has stood still for \d+ s although every service answers: the link from (backend \(unix:.*\) to nic \(unix:.*\)|nic \(unix:.*\) to backend \(unix:.*\))( and from .*)? is cut; the run is incomplete$/,
    );
    expect(error?.message).not.toMatch(/switch|guest/);
    expect(lab.supervisor.state.runs[0].state).toBe('failed');
  });
});

describe('services that others run', () => {
  it('serve one lab at a time, and the next one once a lab is gone, whatever ended it', async () => {
    lab = await CabledLab.open(folder, PACKETS, '3s');
    await lab.upTo(50);
    const second = lab.another('second');
    const refused = await second.apply(lab.wanted).catch((error: unknown) => error);
    expect((refused as Error).message).toMatch(
      /^service \w+ at unix:.* takes part in run pvp-vhost-user of another lab; wait for its end, or run a service/,
    );
    expect(lab.supervisor.state.phase).toBe('running');
    lab.cables.get('backend-nic')?.cut();
    expect((await lab.supervisor.ended)?.message).toContain('is cut');
    lab.cables.get('backend-nic')?.mend();
    const third = lab.another('third');
    await third.apply(lab.wanted);
    await expect.poll(() => third.state.phase, { timeout: 30_000 }).toBe('complete');
    expect(third.state.event_log_sha256).toBe(await embeddedHash(PACKETS));
    await third.down();
  });
});
