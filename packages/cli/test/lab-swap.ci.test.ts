import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
let rig: LabRig;
beforeEach(() => {
  scratch = new Scratch();
  rig = new LabRig(scratch);
});
afterEach(async () => {
  await rig.run('down', 'x');
  scratch.remove();
});

async function swap(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const io = fakeIo();
  const status = await main(['lab', 'swap', ...args, '--labs', scratch.file('labs')], io);
  return { status, stdout: io.stdout(), stderr: io.stderr() };
}

describe('lab swap', () => {
  it('moves a guest at a moment of the run, which begins anew with it, as the run folder repeats', async () => {
    expect((await rig.run('up', rig.file('one', 'embedded', 300), '--wait')).status).toBe(0);
    const before = await rig.inspect();
    const told = JSON.parse(
      (await swap('x', 'guest0', '--to', 'vdpa', '--at', '2us', '--wait', '--json')).stdout,
    );
    expect(told.actions).toEqual(['run pvp/vhost-user']);
    expect(told.event).toEqual({ at: '2us', swap: { guest: 'guest0', to: 'vdpa' } });
    const after = await rig.inspect();
    expect(after.event_log_sha256).not.toBe(before.event_log_sha256);
    const [change] = after.runs[0].swaps?.changes ?? [];
    expect(change).toMatchObject({
      guest: 'guest0',
      from: 'vhost-user',
      to: 'vdpa',
      path: 'carried',
      at_us: 2,
    });
    expect(change.stopped_for_us).toBeGreaterThan(0);
    expect((await rig.run('inspect', 'x')).stdout).toContain(
      'pvp/vhost-user: guest0 from vhost-user to vdpa at 2 us: carried (vdpa offers every feature that the driver acknowledged); down ',
    );

    const again = await run(scratch, 'compare', '--lab', `${after.run_folder}/lab.yaml`, '--json');
    const comparison = JSON.parse(again.stdout);
    expect(comparison.event_log_sha256).toBe(after.event_log_sha256);
    expect(comparison.results[0].swaps.changes).toEqual(after.runs[0].swaps?.changes);
  });

  it('refuses what it cannot do by name, and leaves the lab as it was', async () => {
    await rig.run('up', rig.file('one', 'embedded'), '--wait');
    const before = await rig.inspect();
    const refused = async (...args: string[]) => {
      const { status, stderr } = await swap('x', ...args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(await refused('guest0', '--to', 'vdpa')).toContain(
      '--at is missing: this lab runs on the virtual clock',
    );
    expect(await refused('guest0', '--to', 'vdpb', '--at', '1us')).toContain(
      'back end "vdpb" is unknown; there are vhost-net, vhost-user, vfio, vdpa',
    );
    expect(await refused('nic0', '--to', 'vdpa', '--at', '1us')).toContain(
      'nic0 is a nic; guests are guest0',
    );
    expect(await refused('guest7', '--to', 'vdpa', '--at', '1us')).toContain(
      'there is no node "guest7"; guests are guest0',
    );
    expect(await refused('guest0', '--to', 'vhost-user', '--at', '1us')).toContain(
      'The guest is on vhost-user already; name another back end.',
    );
    expect((await rig.inspect()).event_log_sha256).toBe(before.event_log_sha256);
  });
});
